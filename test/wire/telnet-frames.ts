/** Written-out telnet frames with what they mean, and the decoder and the scanner run over any chunks. */
import { DO, TelnetScanner, WILL, encodeCommand, encodeOption } from '../../src/wire/telnet.ts';
import { TelnetDecoder, describeCommand, describeOption } from './telnet-reader.ts';

export interface TelnetFrame {
  name: string;
  wire: string;
  /** As `decodeAll` writes it; neighbouring data in one. */
  decoded: string[];
}

export const TELNET_FRAMES: readonly TelnetFrame[] = [
  { name: 'text', wire: '68 69 0d 0a', decoded: ['data 68690d0a'] },
  { name: 'IAC IAC', wire: '61 ff ff 62', decoded: ['data 61ff62'] },
  { name: 'IAC IAC IAC IAC', wire: 'ff ff ff ff', decoded: ['data ffff'] },
  // IAC IAC, IAC NOP
  { name: 'a pair before a command', wire: 'ff ff ff f1', decoded: ['data ff', 'command NOP'] },
  // IAC WILL ECHO, IAC WILL SGA, "login: "
  {
    name: 'options before text',
    wire: 'ff fb 01 ff fb 03 6c 6f 67 69 6e 3a 20',
    decoded: ['WILL ECHO', 'WILL SGA', 'data 6c6f67696e3a20'],
  },
  { name: 'option 255', wire: 'ff fd ff 61', decoded: ['DO 255', 'data 61'] },
  {
    name: 'every verb',
    wire: 'ff fb 00 ff fc 00 ff fd 00 ff fe 00',
    decoded: ['WILL BINARY', 'WONT BINARY', 'DO BINARY', 'DONT BINARY'],
  },
  // IAC IP, IAC DM, IAC 0
  {
    name: 'commands',
    wire: 'ff f4 61 ff f2 ff 00',
    decoded: ['command IP', 'data 61', 'command DM', 'command 0'],
  },
  { name: 'IAC SE without a beginning', wire: '61 ff f0 62', decoded: ['data 61', 'command SE', 'data 62'] },
  // IAC SB NAWS 0 101 0 33 IAC SE
  { name: 'a window size', wire: 'ff fa 1f 00 65 00 21 ff f0 24', decoded: ['SB 1f 00650021', 'data 24'] },
  // a window 255 columns wide
  {
    name: 'an IAC pair in a subnegotiation',
    wire: 'ff fa 1f 00 ff ff 00 18 ff f0',
    decoded: ['SB 1f 00ff0018'],
  },
  { name: 'an IAC pair at the end of one', wire: 'ff fa 01 ff ff ff f0', decoded: ['SB 01 ff'] },
  { name: 'a subnegotiation of its option alone', wire: 'ff fa 18 ff f0', decoded: ['SB 18 '] },
  { name: 'a subnegotiation of nothing', wire: 'ff fa ff f0 61', decoded: ['data 61'] },
  { name: 'option 255 in a subnegotiation', wire: 'ff fa ff ff 05 ff f0', decoded: ['SB ff 05'] },
  // IAC SB TERMINAL-TYPE IS 'x', and no IAC SE before IAC WILL ECHO
  {
    name: 'a subnegotiation cut off by an option',
    wire: 'ff fa 18 00 78 ff fb 01 61',
    decoded: ['WILL ECHO', 'data 61'],
  },
  {
    name: 'a subnegotiation cut off by another',
    wire: 'ff fa 18 00 ff fa 1f 01 ff f0',
    decoded: ['SB 1f 01'],
  },
  {
    name: 'a subnegotiation cut off by a command',
    wire: 'ff fa 18 00 ff f1 61',
    decoded: ['command NOP', 'data 61'],
  },
  { name: 'CR NUL and CR LF are data', wire: '61 0d 00 62 0d 0a', decoded: ['data 610d00620d0a'] },
];

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** One line for each thing decoded; data that comes in pieces is joined, as its pieces depend on the chunks. */
export function decodeAll(chunks: readonly Uint8Array[], limitBytes?: number): string[] {
  const lines: string[] = [];
  const decoder = new TelnetDecoder(
    {
      data: (bytes) => join(lines, 'data ', bytes),
      command: (code) => lines.push(`command ${describeCommand(code)}`),
      option: (verb, option) => lines.push(describeOption(verb, option)),
      subnegotiation: (option, bytes) => lines.push(`SB ${toHex([option])} ${toHex(bytes)}`),
      overflow: () => lines.push('overflow'),
    },
    limitBytes,
  );
  for (const chunk of chunks) decoder.push(chunk);
  return lines;
}

/** The wire forms of all pieces, and at the end what the scanner still holds: the input again. */
export function wireOfPieces(chunks: readonly Uint8Array[]): Buffer {
  const wire: Uint8Array[] = [];
  const scanner = new TelnetScanner({
    data: (_bytes, piece) => wire.push(Buffer.from(piece)),
    command: (code) => wire.push(encodeCommand(code)),
    option: (verb, option) => wire.push(encodeOption(verb, option)),
    subnegotiationBegan: () => wire.push(encodeCommand(250)),
    subnegotiationPart: (_bytes, piece) => wire.push(Buffer.from(piece)),
    subnegotiationEnded: (complete) => complete && wire.push(encodeCommand(240)),
  });
  for (const chunk of chunks) scanner.push(chunk);
  return Buffer.concat([...wire, scanner.takePartial()]);
}

/** Bytes in which telnet's special ones are frequent. */
export const SPECIAL_BYTES: readonly number[] = [255, 255, 255, 250, 240, WILL, DO, 241, 0, 1, 13, 10, 97];

function join(lines: string[], prefix: string, bytes: Uint8Array): void {
  const last = lines.at(-1);
  if (last?.startsWith(prefix)) lines[lines.length - 1] = last + toHex(bytes);
  else lines.push(prefix + toHex(bytes));
}

function toHex(bytes: Uint8Array | number[]): string {
  return Buffer.from(bytes).toString('hex');
}
