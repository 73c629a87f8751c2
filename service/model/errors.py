"""What can be wrong with a model file. Each way has its own error, and all of them are ArtifactErrors.

Each message completes the sentence "The model file cannot be used: ...".
"""


class ArtifactError(Exception):
    """The model file cannot be used."""


class UnreadableArtifactError(ArtifactError):
    """The model file is missing, truncated or not an .npz."""


class ArtifactTooLargeError(ArtifactError):
    """The model file, or what it claims to hold, is too large."""


class MalformedArtifactError(ArtifactError):
    """The model file lacks a member, or one has the wrong type or shape."""


class NotFiniteError(ArtifactError):
    """The model file holds NaN or infinity."""


class MetadataError(ArtifactError):
    """The model file's metadata is incomplete or invalid."""
