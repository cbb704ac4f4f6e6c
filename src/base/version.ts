/** The version, as both programs show it and send it. A test compares it with package.json. */
export const VERSION = '0.1.0';
