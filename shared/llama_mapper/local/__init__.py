"""The one-command run for one person on one machine: every part as a child process, and the local broker."""
