/**
 * What a person expects of a telnet session at a site, on what the client's terminal showed: the same for a direct
 * visit and for one through the relay, so that the relay is held to being invisible.
 *
 * Each check compares everything shown from one prompt to the next, so a doubled, lost or stray byte is a failure.
 */
import type { Test } from 'tap';
import { sitePrompt, type Daemon } from './daemons.ts';
import { quoteEnd, windowSize, type ClientKind, type Terminal } from './terminal.ts';

const fullScreenText = 'seen on a full screen';
const lastRow = `\x1b[${windowSize.rows};1H`;

const wrongPassword = 'notthispassword';

/** What the daemon echoed is in the customer's log, what it did not is not. */
export function checkLog(t: Test, log: string, site: Daemon): void {
  t.match(log, `login: ${site.user}`, 'the log has the echoed name');
  t.notMatch(log, wrongPassword, 'a wrong password is not in the log');
  t.notMatch(log, site.password, 'the password is not in the log');
}

/** Logs in at the site's own daemon, after one wrong password; ends at the shell's prompt. */
export async function logInAtSite(t: Test, terminal: Terminal, site: Daemon): Promise<void> {
  await answerLogin(terminal, site.user, wrongPassword);
  await terminal.await('Login incorrect');
  await answerLogin(terminal, site.user, site.password);
  await terminal.await(sitePrompt);
  t.notMatch(terminal.transcript, wrongPassword, 'a wrong password is not shown');
  t.notMatch(terminal.transcript, site.password, 'the password is not shown');
}

async function answerLogin(terminal: Terminal, user: string, password: string): Promise<void> {
  await terminal.await('login: ');
  terminal.sendLine(user);
  await terminal.await('Password: ');
  terminal.sendLine(password);
}

/** Goes through a session at the site's prompt, checks it, and ends back at the prompt. */
export async function checkSession(
  t: Test,
  terminal: Terminal,
  client: ClientKind,
  site: Daemon,
): Promise<void> {
  t.equal(await run(terminal, 'echo RES-$((6*7))'), 'RES-42\r\n', 'a command runs');
  const size = `${windowSize.rows} ${windowSize.columns}\r\n`;
  t.equal(await run(terminal, 'stty size'), size, 'the site knows the size of the window');
  t.equal(await run(terminal, 'echo $TERM'), 'xterm\r\n', 'the site knows the type of the terminal');
  await checkBytesFromSite(t, terminal);
  await checkBytesToSite(t, terminal, stripsEighthBit(client, site));
  await checkLongOutput(t, terminal);
  await checkInterrupt(t, terminal);
  await checkFullScreen(t, terminal);
}

export function leaveSite(terminal: Terminal): void {
  terminal.sendLine('exit');
}

/** What a command prints, given that its line is shown exactly once. */
async function run(terminal: Terminal, line: string): Promise<string> {
  terminal.sendLine(line);
  return afterEcho(line, await terminal.await(sitePrompt)).slice(0, -sitePrompt.length);
}

function afterEcho(line: string, shown: string): string {
  const echo = `${line}\r\n`;
  if (!shown.startsWith(echo)) throw new Error(`typed ${JSON.stringify(line)}, was shown ${quoteEnd(shown)}`);
  return shown.slice(echo.length);
}

async function checkBytesFromSite(t: Test, terminal: Terminal): Promise<void> {
  const shown = await run(terminal, String.raw`printf '<\303\251\342\202\254\200\377\377>\n'`);
  t.equal(
    shown,
    '<\xc3\xa9\xe2\x82\xac\x80\xff\xff>\r\n',
    'bytes with the eighth bit come from the site, 255 too',
  );
}

async function checkBytesToSite(t: Test, terminal: Terminal, isStripped: boolean): Promise<void> {
  const utf8 = Buffer.from('é€');
  const typed = isStripped ? utf8 : Buffer.concat([utf8, Buffer.of(0x80, 0xff, 0xff)]);
  const expected = isStripped ? utf8.map((byte) => byte & 0x7f) : typed;
  terminal.sendLine('cat | od -An -tx1');
  await terminal.await('\n');
  terminal.sendLine(typed);
  await terminal.await('\n');
  terminal.send('\x04');
  const shown = await terminal.await(sitePrompt);
  const hex = Array.from([...expected, 0x0a], (byte) => ` ${byte.toString(16).padStart(2, '0')}`).join('');
  t.equal(shown, `${hex}\r\n${sitePrompt}`, 'bytes with the eighth bit reach the site');
}

/** inetutils telnetd strips what a client types unless it agreed to BINARY or LINEMODE; busybox knows neither. */
function stripsEighthBit(client: ClientKind, site: Daemon): boolean {
  return client === 'busybox' && site.kind === 'inetutils';
}

async function checkLongOutput(t: Test, terminal: Terminal): Promise<void> {
  const lines = Array.from({ length: 5000 }, (_, index) => `${index + 1}\r\n`).join('');
  const shown = await run(terminal, 'seq 5000');
  t.ok(shown === lines, `a long output arrives whole (${shown.length} of ${lines.length} bytes)`);
}

async function checkInterrupt(t: Test, terminal: Terminal): Promise<void> {
  // One program that says itself that it runs: a shell is deaf for a moment between two commands.
  terminal.sendLine("sh -c 'echo GO-$((1+1)); exec sleep 1000'");
  await terminal.await('GO-2\r\n');
  terminal.send('\x03');
  const shown = await terminal.await(sitePrompt, 10);
  // busybox telnet shows the data mark (242) that inetutils telnetd sends as urgent data.
  t.match(shown, /^\xf2?\^C\r\nsite\$ $/, 'Ctrl+C interrupts a command');
}

async function checkFullScreen(t: Test, terminal: Terminal): Promise<void> {
  terminal.sendLine('./vi nofile');
  await terminal.await(lastRow);
  terminal.send(`i${fullScreenText}`);
  await terminal.await(fullScreenText);
  terminal.send('\x1b');
  await terminal.await('[Modified]');
  terminal.sendLine(':q!');
  await terminal.await(sitePrompt);
  t.pass('a program for the full screen works, down to the last row');
}
