"""The semantic types that q2-aam adds; predictions use q2-sample-classifier's."""

from q2_types.sample_data import SampleData
from qiime2.plugin import SemanticType

AAMEncoder = SemanticType("AAMEncoder")
AAMRegressor = SemanticType("AAMRegressor")
AAMClassifier = SemanticType("AAMClassifier")
AAMTrainingLog = SemanticType("AAMTrainingLog")
PredictionIntervals = SemanticType("PredictionIntervals", variant_of=SampleData.field["type"])
AAMEmbeddings = SemanticType("AAMEmbeddings", variant_of=SampleData.field["type"])
AAMRecognition = SemanticType("AAMRecognition", variant_of=SampleData.field["type"])
