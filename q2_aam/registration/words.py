"""Sentences that several actions share in their help."""

TABLE = "Counts of ASVs in samples."
SEQUENCES = (
    "DNA of the features. Needed unless the feature ids of the table are the sequences themselves."
)
ENCODER = (
    "A pretrained encoder to start from. The architecture is then its own, and parameters that "
    "contradict it are refused."
)
GROUPS = (
    "Samples of one group (subject, site, cage) stay together, so that repeated measures of one "
    "subject are never on both sides of a split."
)
TRAINING_LOG = "Losses by epoch, all settings, and which samples were used and dropped."
COVARIATES = "Metadata that holds the columns named in 'covariate_columns'."
COVARIATES_OF_MODEL = (
    "If the model was fitted with covariates: metadata with the same columns, and a row for each "
    "sample. Blank cells count as missing."
)
