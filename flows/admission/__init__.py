"""One partition's door: what is known of its sensors and cases, its sense of time, its memory."""
