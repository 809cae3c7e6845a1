/** What `spoolway run` exits with. */
export const superviseExit = { asked: 0, configUnusable: 1, locked: 2, spoolUnusable: 3 } as const;
