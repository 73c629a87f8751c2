"""The parts of the serving benchmark: pictures, references, wrk, memory, profile."""
