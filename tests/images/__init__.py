"""``make images``: build every image, run each as a pod would, and measure it (docs/install.md, "Images")."""
