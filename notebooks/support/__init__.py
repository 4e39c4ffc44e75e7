"""What notebooks ask of trained models: pure functions, no configuration."""
