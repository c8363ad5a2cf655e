"""What runs send to MLflow and TensorBoard while they train, in threads that no run waits for."""
