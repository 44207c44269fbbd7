// The controls of the instance.
