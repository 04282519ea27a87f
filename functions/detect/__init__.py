"""detect: runs detectors over one text and answers with their own labels."""
