"""What programs by others say of the platforms, beside this project's own code and emulators."""
