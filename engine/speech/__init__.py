# SPDX-License-Identifier: Apache-2.0
"""Speech into text by a local model (VM-4). Optional: without `speech.model` nothing of it is loaded."""

from engine.speech.transcript import transcribe
from engine.speech.vosk_model import hear, trouble

__all__ = ["hear", "transcribe", "trouble"]
