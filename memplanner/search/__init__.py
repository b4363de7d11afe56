"""Looking beyond the plan as it is: other plans, estimated and compared."""
