"""Sources that obey or misbehave, the conformance suite, real servers."""
