// Where entries come from: the server, this file, or a recording.
