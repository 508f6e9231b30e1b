"""Parameters of the machine that trains."""

from qiime2.plugin import Choices, Int, Range, Str

from .parameter import Parameter

MACHINE_PARAMETERS = {
    "device": Parameter(
        Str % Choices("auto", "cpu", "gpu"),
        "auto",
        "'auto' uses a GPU if there is one, 'cpu' never does, 'gpu' stops if there is none.",
    ),
    "precision": Parameter(
        Str % Choices("auto", "fp32", "bf16", "fp16"),
        "auto",
        "'auto' is 'bf16' on a GPU that has it, else 'fp32'. 'bf16' and 'fp16' are faster on GPUs.",
    ),
    "threads": Parameter(
        Int % Range(0, None),
        0,
        "CPU threads; 0 lets PyTorch choose. Results are equal for an equal number of threads.",
    ),
}
