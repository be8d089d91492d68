"""The work list: many patients, one small record each, kept in a folder and opened one at a time."""
