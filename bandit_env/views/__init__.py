"""What people look at: tables, figures, TensorBoard files, and a run as it goes on."""
