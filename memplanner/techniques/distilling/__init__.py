"""What distillation does: a student made of a teacher, and losses between the two; torch alone."""
