"""What a content says behind its disguises and encodings, with every place kept."""
