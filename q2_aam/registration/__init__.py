"""What QIIME 2 is told of the plugin: types, and every action with its help."""
