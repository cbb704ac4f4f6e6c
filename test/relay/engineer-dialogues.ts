/**
 * Example dialogues of one engineer's connection, in hex with the meaning above: what is done, what comes out.
 *
 * Those marked "as recorded" are real programs' bytes (GNU inetutils, BusyBox, PuTTY plink, netkit). `play` runs one
 * over any cutting of its inputs; the outputs of a row must not depend on it.
 */
import { EngineerTelnet } from '../../src/relay/engineer-telnet.ts';
import { CLIENT_RESET } from '../../src/relay/telnet-reset.ts';
import { hex } from '../wire/telnet-frames.ts';

export interface Row {
  call?: 'greet' | 'startSync' | 'syncExpired' | 'beginVisit' | 'endVisit';
  client?: string;
  daemon?: string;
  /** What comes out: hex; all empty if not given. */
  toClient?: string;
  toDaemon?: string;
  typed?: string;
  /** Calls of `interrupt`, `synced`, `settled`, `overflow`, in order. */
  events?: string;
  echoing?: boolean;
}

export interface Dialogue {
  name: string;
  rows: Row[];
}

// IAC WILL ECHO, IAC WILL SGA
const GREETING = 'ff fb 01 ff fb 03';
// IAC DO TIMING-MARK, IAC WILL TIMING-MARK, IAC WONT TIMING-MARK
const ASK_MARK = 'ff fd 06';
const MARK = 'ff fb 06';
const NO_MARK = 'ff fc 06';
/** All that is sent after a visit. */
export const RESET = `${Buffer.from(CLIENT_RESET).toString('hex')} ${GREETING} ${ASK_MARK}`;

/** A client that lets the relay echo (IAC DO ECHO, IAC DO SGA), up to the visit. */
const agreed: Row[] = [
  { call: 'greet', toClient: GREETING },
  { client: 'ff fd 01 ff fd 03', echoing: true },
  { call: 'startSync', toClient: ASK_MARK },
  { client: NO_MARK, events: 'synced' },
  { call: 'beginVisit' },
];

/** One that refuses both (IAC DONT ECHO, IAC DONT SGA). */
const refused: Row[] = [
  { call: 'greet', toClient: GREETING },
  { client: 'ff fe 01 ff fe 03', echoing: false },
  { call: 'startSync', toClient: ASK_MARK },
  { client: NO_MARK, events: 'synced' },
];

/** A visit to a daemon that claims both: IAC WILL ECHO, IAC WILL SGA; for it IAC DO ECHO, IAC DO SGA. */
const claimed: Row = { daemon: GREETING, toDaemon: 'ff fd 01 ff fd 03', events: 'settled' };

export const DIALOGUES: readonly Dialogue[] = [
  {
    name: 'a client that agrees is echoed to, what it types is for the dialogue',
    rows: [
      { call: 'greet', toClient: GREETING, echoing: false },
      // IAC DO ECHO
      { client: 'ff fd 01', echoing: true },
      // IAC DO SGA, "list" CR NUL
      { client: 'ff fd 03 6c 69 73 74 0d 00', typed: '6c6973740d00', echoing: true },
      // a data byte 255
      { client: '61 ff ff 62', typed: '61ff62' },
    ],
  },
  {
    name: 'a client that negotiates first, as recorded from plink: its DO is the answer to our WILL',
    rows: [
      // IAC WILL NAWS, TERMINAL-SPEED, TERMINAL-TYPE, NEW-ENVIRON, IAC DO ECHO, IAC WILL SGA, IAC DO SGA
      { client: 'ff fb 1f ff fb 20 ff fb 18 ff fb 27 ff fd 01 ff fb 03 ff fd 03', echoing: false },
      { call: 'greet', toClient: GREETING, echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      // replayed: all but the two DOs
      { call: 'beginVisit', toDaemon: 'ff fb 1f ff fb 20 ff fb 18 ff fb 27 ff fb 03' },
      // the daemon: IAC DO NAWS; passed on
      { daemon: 'ff fd 1f', toClient: 'ff fd 1f' },
      // IAC SB NAWS 0 101 0 33 IAC SE
      { client: 'ff fa 1f 00 65 00 21 ff f0', toDaemon: 'ff fa 1f 00 65 00 21 ff f0' },
      claimed,
    ],
  },
  {
    name: 'a client that asks before the greeting and takes it back is offered both afresh',
    rows: [
      // IAC DO ECHO, IAC DONT ECHO
      { client: 'ff fd 01 ff fe 01' },
      { call: 'greet', toClient: GREETING, echoing: false },
      { client: 'ff fd 01', echoing: true },
    ],
  },
  {
    name: 'a client may change its mind in the dialogue, and is answered (RFC 1143)',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: 'ff fd 01 ff fd 03', echoing: true },
      // IAC DONT ECHO; IAC WONT ECHO
      { client: 'ff fe 01', toClient: 'ff fc 01', echoing: false },
      // again: the state is the same, no answer
      { client: 'ff fe 01', echoing: false },
      // IAC DO ECHO; IAC WILL ECHO
      { client: 'ff fd 01', toClient: 'ff fb 01', echoing: true },
      { client: 'ff fd 01', echoing: true },
    ],
  },
  {
    name: 'commands in the dialogue do what a key of the same meaning does',
    rows: [
      { call: 'greet', toClient: GREETING },
      // IAC EC, IAC EL, IAC EOF
      { client: 'ff f7', typed: '7f' },
      { client: 'ff f8', typed: '15' },
      { client: 'ff ec', typed: '04' },
      // IAC IP, IAC BRK, IAC ABORT
      { client: 'ff f4 ff f3 ff ee', events: 'interrupt interrupt interrupt' },
      // IAC AYT: CR LF "[relay: yes]" CR LF
      { client: 'ff f6', toClient: '0d 0a 5b 72 65 6c 61 79 3a 20 79 65 73 5d 0d 0a' },
      // IAC NOP, IAC GA, IAC DM, IAC AO, IAC SE
      { client: 'ff f1 ff f9 ff f2 ff f5 ff f0' },
    ],
  },
  {
    name: 'a mark asked for in the dialogue is given: the client shows nothing until it comes',
    rows: [
      { call: 'greet', toClient: GREETING },
      // ^C in the line mode of inetutils, as recorded: IAC IP, IAC DO TIMING-MARK; IAC WILL TIMING-MARK
      { client: 'ff f4 ff fd 06', events: 'interrupt', toClient: MARK },
      // IAC DONT TIMING-MARK, and a mark that nobody asked for
      { client: `ff fe 06 ${MARK} ${NO_MARK}` },
    ],
  },
  {
    name: 'from consent to the mark data is dropped and options are held; after it too, until the daemon is there',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: 'ff fd 01 ff fd 03', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      // LF, "y", IAC WILL NAWS, "x"
      { client: '0a 79 ff fb 1f 78' },
      { client: NO_MARK, events: 'synced' },
      // "z", IAC WILL TERMINAL-TYPE, IAC EC
      { client: '7a ff fb 18 ff f7' },
      // ^C; IAC IP: the engineer gives up waiting
      { client: '03', events: 'interrupt' },
      { client: 'ff f4', events: 'interrupt' },
      // IAC AYT
      { client: 'ff f6', toClient: '0d 0a 5b 72 65 6c 61 79 3a 20 79 65 73 5d 0d 0a' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f ff fb 18' },
      { client: '6a', toDaemon: '6a' },
    ],
  },
  {
    name: 'what the client agreed to is handed to a daemon that claims it; then all is raw',
    rows: [
      ...agreed,
      // IAC WILL ECHO; for it: IAC DO ECHO
      { daemon: 'ff fb 01', toDaemon: 'ff fd 01' },
      // IAC DO NAWS: passed
      { daemon: 'ff fd 1f', toClient: 'ff fd 1f' },
      // IAC WILL SGA, "login: "
      { daemon: 'ff fb 03 6c 6f', toDaemon: 'ff fd 03', toClient: '6c 6f', events: 'settled' },
      // anything, either way
      { daemon: 'ff fb 01 ff ff fa 00', toClient: 'ff fb 01 ff ff fa 00' },
      { client: 'ff fe 01 ff', toDaemon: 'ff fe 01 ff' },
    ],
  },
  {
    name: "a daemon's WONT goes to the client, whose one DONT is swallowed",
    rows: [
      ...agreed,
      { daemon: 'ff fb 03', toDaemon: 'ff fd 03' },
      // IAC WONT ECHO
      { daemon: 'ff fc 01', toClient: 'ff fc 01' },
      // "a", IAC DONT ECHO, "b"; not swallowed again
      { client: '61 ff fe 01 62', toDaemon: '61 62', events: 'settled' },
      { client: 'ff fe 01', toDaemon: 'ff fe 01' },
    ],
  },
  {
    name: 'a daemon that speaks first never claims: the client gets WONT before the text',
    rows: [
      ...agreed,
      // NUL is no speech
      { daemon: '00 00', toClient: '00 00' },
      // NUL, "hi"; IAC WONT ECHO, IAC WONT SGA before "hi"
      { daemon: '00 68 69', toClient: '00 ff fc 01 ff fc 03 68 69' },
      { daemon: '21', toClient: '21' },
      // IAC DONT ECHO, IAC DONT SGA: swallowed
      { client: 'ff fe 01 ff fe 03', events: 'settled' },
      { client: '61 0d 0a', toDaemon: '61 0d 0a' },
    ],
  },
  {
    name: 'a byte 255 is speech',
    rows: [...agreed, { daemon: '00 ff ff 00', toClient: '00 ff fc 01 ff fc 03 ff ff 00' }],
  },
  {
    name: 'only what is not claimed yet is taken back',
    rows: [
      ...agreed,
      { daemon: 'ff fb 01', toDaemon: 'ff fd 01' },
      // "x"; IAC WONT SGA
      { daemon: '78', toClient: 'ff fc 03 78' },
      { client: 'ff fe 03', events: 'settled' },
    ],
  },
  {
    name: 'a claim that comes after the WONT and before the DONT is between client and daemon',
    rows: [
      ...agreed,
      { daemon: '68', toClient: 'ff fc 01 ff fc 03 68' },
      // IAC WILL ECHO, IAC WILL SGA: passed on
      { daemon: GREETING, toClient: GREETING },
      // the answers in order: IAC DONT ECHO (ours), IAC DONT SGA (ours), IAC DO ECHO, IAC DO SGA
      { client: 'ff fe 01 ff fe 03 ff fd 01 ff fd 03', toDaemon: 'ff fd 01 ff fd 03', events: 'settled' },
    ],
  },
  {
    name: 'line editing switched on, as recorded from netkit telnetd: WONT, WILL, WONT, and one DONT swallowed',
    rows: [
      ...agreed,
      { daemon: 'ff fb 03', toDaemon: 'ff fd 03' },
      // IAC SB LINEMODE MODE EDIT|TRAPSIG IAC SE, then of ours IAC WONT ECHO
      { daemon: 'ff fa 22 01 03 ff f0', toClient: 'ff fa 22 01 03 ff f0 ff fc 01' },
      // IAC WILL ECHO, IAC WONT ECHO
      { daemon: 'ff fb 01 ff fc 01', toClient: 'ff fb 01 ff fc 01' },
      // IAC SB LINEMODE MODE EDIT|TRAPSIG|ACK IAC SE, IAC DONT ECHO (ours), IAC DO ECHO, IAC DONT ECHO
      {
        client: 'ff fa 22 01 07 ff f0 ff fe 01 ff fd 01 ff fe 01',
        toDaemon: 'ff fa 22 01 07 ff f0 ff fd 01 ff fe 01',
        events: 'settled',
      },
    ],
  },
  {
    name: 'other subnegotiations, and LINEMODE without EDIT, are no reason to take anything back',
    rows: [
      ...agreed,
      // IAC SB LINEMODE MODE 0x10 IAC SE, as recorded from inetutils telnetd
      { daemon: 'ff fa 22 01 10 ff f0', toClient: 'ff fa 22 01 10 ff f0' },
      // IAC SB LINEMODE SLC 3.. IAC SE, IAC SB TERMINAL-TYPE SEND IAC SE, IAC GA
      { daemon: 'ff fa 22 03 01 03 ff f0', toClient: 'ff fa 22 03 01 03 ff f0' },
      { daemon: 'ff fa 18 01 ff f0 ff f9', toClient: 'ff fa 18 01 ff f0 ff f9' },
      claimed,
    ],
  },
  {
    name: 'a client that withdraws before the daemon claims is answered by us, and asked by the daemon itself',
    rows: [
      ...agreed,
      // IAC DONT ECHO; IAC WONT ECHO
      { client: 'ff fe 01', toClient: 'ff fc 01' },
      // IAC WILL ECHO
      { daemon: 'ff fb 01', toClient: 'ff fb 01' },
      { client: 'ff fe 01', toDaemon: 'ff fe 01' },
      { daemon: 'ff fb 03', toDaemon: 'ff fd 03', events: 'settled' },
    ],
  },
  {
    name: 'a client that refused is left to the daemon from the first byte',
    rows: [
      ...refused,
      { call: 'beginVisit', events: 'settled' },
      { daemon: GREETING, toClient: GREETING },
      { client: 'ff fd 01', toDaemon: 'ff fd 01' },
    ],
  },
  {
    name: 'a client that never answers is raw: a deadline instead of the mark, nothing kept from either side',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: '61 0a', typed: '610a', echoing: false },
      { call: 'startSync', toClient: ASK_MARK },
      { client: '79 0a' },
      { call: 'syncExpired' },
      { call: 'beginVisit', events: 'settled' },
      { client: '0d 0a', toDaemon: '0d 0a' },
      // it gets no reset either
      { call: 'endVisit', events: 'synced' },
      { client: '62 0a', typed: '620a', echoing: false },
    ],
  },
  {
    name: 'a mark that comes after the deadline is swallowed, the one the daemon asked for is not',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: 'ff fd 01 ff fd 03', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { call: 'syncExpired' },
      { call: 'beginVisit' },
      { daemon: ASK_MARK, toClient: ASK_MARK },
      { client: `${MARK} ${MARK}`, toDaemon: MARK },
      claimed,
    ],
  },
  {
    name: 'commands begun when the last offer is settled go on whole',
    rows: [
      ...agreed,
      { daemon: 'ff fb 01', toDaemon: 'ff fd 01' },
      // IAC WILL of the client; held
      { client: '61 ff fb', toDaemon: '61' },
      // IAC WILL SGA, IAC of the daemon: both parts go on
      { daemon: 'ff fb 03 ff', toDaemon: 'ff fd 03 ff fb', toClient: 'ff', events: 'settled' },
      { client: '18', toDaemon: '18' },
      { daemon: 'fd 18', toClient: 'fd 18' },
    ],
  },
  {
    name: 'a subnegotiation begun in the dialogue goes on into the visit',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: 'ff fd 01 ff fd 03', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { client: `${NO_MARK} ff fb 1f ff fa 1f 00 ff ff`, events: 'synced' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f ff fa 1f 00 ff ff' },
      { client: '00 18 ff f0 61', toDaemon: '00 18 ff f0 61' },
    ],
  },
  {
    name: 'after a visit the client forgets it, and the next daemon hears what the first one heard (plink)',
    rows: [
      // IAC WILL NAWS, IAC DO ECHO, IAC DO SGA
      { client: 'ff fb 1f ff fd 01 ff fd 03' },
      { call: 'greet', toClient: GREETING, echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f' },
      claimed,
      { call: 'endVisit', toClient: RESET },
      // late bytes of the daemon
      { daemon: '78 ff fb 01' },
      // "q", IAC WONT NAWS, IAC WONT TERMINAL-TYPE, ^C; then the mark
      { client: '71 ff fc 1f ff fc 18 03' },
      { client: `${NO_MARK}`, events: 'synced', echoing: true },
      { client: '61', typed: '61', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f' },
      // IAC DO NAWS; IAC WILL NAWS
      { daemon: 'ff fd 1f', toClient: 'ff fd 1f' },
      { client: 'ff fb 1f', toDaemon: 'ff fb 1f' },
      claimed,
    ],
  },
  {
    name: 'busybox answers a reset of its own SGA for the other side, as recorded, and ends where it was',
    rows: [
      ...agreed,
      claimed,
      { call: 'endVisit', toClient: RESET },
      // IAC DONT SGA, IAC WILL TERMINAL-TYPE, IAC WILL NAWS, IAC SB NAWS.., IAC WONT NEW-ENVIRON, IAC DO SGA; mark
      {
        client: `ff fe 03 ff fb 18 ff fb 1f ff fa 1f 00 65 00 21 ff f0 ff fc 27 ff fd 03 ${NO_MARK}`,
        toClient: 'ff fb 03',
        events: 'synced',
        echoing: true,
      },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'beginVisit' },
      claimed,
    ],
  },
  {
    name: 'a client left without echo by the visit takes the new offer, without a loop',
    rows: [
      ...agreed,
      { daemon: '68', toClient: 'ff fc 01 ff fc 03 68' },
      // the visit ends before its DONTs are here
      { call: 'endVisit', toClient: RESET },
      // IAC DONT ECHO, IAC DONT SGA for our WONTs, IAC DO ECHO, IAC DO SGA for our new WILLs
      { client: 'ff fe 01 ff fe 03' },
      { client: `ff fd 01 ff fd 03 ${NO_MARK}`, toClient: GREETING, events: 'synced', echoing: true },
    ],
  },
  {
    name: 'a client that does not take the new offer echoes for itself from then on (busybox after line mode)',
    rows: [
      ...agreed,
      { daemon: '68', toClient: 'ff fc 01 ff fc 03 68' },
      { client: 'ff fe 01 ff fe 03', events: 'settled' },
      { call: 'endVisit', toClient: RESET },
      // IAC DONT ECHO, IAC DO SGA; mark
      { client: `ff fe 01 ff fd 03 ${NO_MARK}`, events: 'synced', echoing: false },
    ],
  },
  {
    name: 'answers to a reset that come after the deadline are not held for the next daemon',
    rows: [
      ...agreed,
      claimed,
      { call: 'endVisit', toClient: RESET },
      { call: 'syncExpired', echoing: true },
      { client: '61', typed: '61', echoing: true },
      // IAC WONT NAWS, mark, and then IAC WILL NAWS of its own accord
      { client: `ff fc 1f ${NO_MARK} ff fb 1f` },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f' },
    ],
  },
  {
    name: 'a visit that does not come about leaves the dialogue as it was',
    rows: [
      { call: 'greet', toClient: GREETING },
      { client: 'ff fd 01 ff fd 03 ff fb 1f', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { call: 'endVisit', events: 'synced' },
      // the mark of the first sync is not that of the second
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'endVisit', events: 'synced' },
      { client: '61', typed: '61', echoing: true },
      { call: 'startSync', toClient: ASK_MARK },
      { client: NO_MARK, events: 'synced' },
      { call: 'beginVisit', toDaemon: 'ff fb 1f' },
    ],
  },
  {
    name: 'the end of a visit in the middle of commands: their rest is dropped, the client is brought out of its own',
    rows: [
      ...agreed,
      // IAC SB of the daemon, IAC SB NAWS of the client
      { daemon: 'ff fa 18', toClient: 'ff fa 18' },
      { client: 'ff fa 1f 00', toDaemon: 'ff fa 1f 00' },
      { call: 'endVisit', toClient: RESET },
      { client: `65 ff f0 ${NO_MARK}`, events: 'synced' },
      { client: '61', typed: '61', echoing: true },
    ],
  },
];

/** What one row made the connection do. */
export interface Outcome {
  toClient: string;
  toDaemon: string;
  typed: string;
  events: string;
}

/** Plays `dialogue`, each input cut by `cut`; returns the outcome of each row, then the echo state where asked. */
export function play(
  dialogue: Dialogue,
  cut: (bytes: Buffer) => Uint8Array[],
): Array<Outcome & { echoing?: boolean }> {
  let outcome = nothing();
  const telnet = new EngineerTelnet({
    toClient: (bytes) => (outcome.toClient += toHex(bytes)),
    toDaemon: (bytes) => (outcome.toDaemon += toHex(bytes)),
    typed: (bytes) => (outcome.typed += toHex(bytes)),
    interrupt: () => (outcome.events += ' interrupt'),
    synced: () => (outcome.events += ' synced'),
    settled: () => (outcome.events += ' settled'),
    overflow: () => (outcome.events += ' overflow'),
  });
  return dialogue.rows.map((row) => {
    outcome = nothing();
    if (row.call) telnet[row.call]();
    for (const chunk of cut(hex(row.client ?? ''))) telnet.fromClient(chunk);
    for (const chunk of cut(hex(row.daemon ?? ''))) telnet.fromDaemon(chunk);
    const events = outcome.events.trim();
    return { ...outcome, events, ...(row.echoing === undefined ? {} : { echoing: telnet.echoing }) };
  });
}

export function expected({ rows }: Dialogue): Array<Outcome & { echoing?: boolean }> {
  return rows.map((row) => ({
    toClient: toHex(hex(row.toClient ?? '')),
    toDaemon: toHex(hex(row.toDaemon ?? '')),
    typed: row.typed ?? '',
    events: row.events ?? '',
    ...(row.echoing === undefined ? {} : { echoing: row.echoing }),
  }));
}

function nothing(): Outcome {
  return { toClient: '', toDaemon: '', typed: '', events: '' };
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
