// What the user looks at: the time window, the selection, the open tab.
