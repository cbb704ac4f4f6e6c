#!/usr/bin/env node
/**
 * tndconnect: the process, and the only file of the connector that touches it. Process lists show the command line
 * to everybody on the machine, and the password may be in it: it is hidden before anything else is loaded.
 */
process.title = 'tndconnect';
const { runProgram } = await import('./program.ts');
const status = await runProgram(process);
// Relay and terminal still get our last bytes, but soon it is over in any case.
process.exitCode = status;
setTimeout(() => process.exit(status), 1_000).unref();
