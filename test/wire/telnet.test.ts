/** The telnet decoder, scanner and encoders on written-out frames, at their limits and under hostile input. */
import t from 'tap';
import {
  COMMAND,
  DO,
  DONT,
  IAC,
  OPTION,
  TelnetScanner,
  WILL,
  WONT,
  encodeCommand,
  encodeOption,
} from '../../src/wire/telnet.ts';
import {
  TelnetDecoder,
  describeCommand,
  describeOption,
  encodeSubnegotiation,
  escapeData,
} from './telnet-reader.ts';
import { TELNET_FRAMES, decodeAll, hex } from './telnet-frames.ts';

t.test('each frame is decoded as written', async (t) => {
  for (const { name, wire, decoded } of TELNET_FRAMES) {
    t.same(decodeAll([hex(wire)]), decoded, name);
  }
});

t.test('data without IAC is passed on as the chunk itself', async (t) => {
  const chunk = Buffer.from('a prompt: ');
  const seen: Uint8Array[] = [];
  new TelnetDecoder({ ...ignoring, data: (bytes) => seen.push(bytes) }).push(chunk);
  t.equal(seen.length, 1);
  t.equal(seen[0], chunk);
});

t.test('an IAC pair splits data into views of the chunk, without a copy', async (t) => {
  const chunk = hex('61 ff ff 62');
  const seen: Uint8Array[] = [];
  new TelnetDecoder({ ...ignoring, data: (bytes) => seen.push(bytes) }).push(chunk);
  t.same(
    seen.map((bytes) => Buffer.from(bytes).toString('hex')),
    ['61ff', '62'],
  );
  t.ok(seen.every((bytes) => bytes.buffer === chunk.buffer));
});

t.test(
  'a subnegotiation of exactly the limit arrives, one byte more is reported once and skipped',
  async (t) => {
    const fits = encodeSubnegotiation(OPTION.NAWS, new Uint8Array(8));
    const tooLong = encodeSubnegotiation(OPTION.NAWS, new Uint8Array(9));
    t.same(decodeAll([fits], 8), ['SB 1f 0000000000000000']);
    t.same(decodeAll([tooLong, Buffer.from('on')], 8), ['overflow', 'data 6f6e']);
  },
);

t.test('the limit counts unescaped bytes', async (t) => {
  t.same(decodeAll([encodeSubnegotiation(1, new Uint8Array(4).fill(IAC))], 4), ['SB 01 ffffffff']);
});

t.test('an endless subnegotiation is one overflow, and its end is found', async (t) => {
  let overflows = 0;
  let data = '';
  const decoder = new TelnetDecoder({
    ...ignoring,
    overflow: () => overflows++,
    data: (bytes) => (data += Buffer.from(bytes).toString()),
  });
  decoder.push(hex('ff fa 18'));
  for (let i = 0; i < 1_000; i++) decoder.push(Buffer.alloc(1_024, 'x'));
  decoder.push(hex('ff f0'));
  decoder.push(Buffer.from('after'));
  t.equal(overflows, 1);
  t.equal(data, 'after');
});

t.test('floods of commands and options cost one call each', async (t) => {
  const counts = { commands: 0, options: 0, bytes: 0 };
  const decoder = new TelnetDecoder({
    ...ignoring,
    command: () => counts.commands++,
    option: () => counts.options++,
    data: (bytes) => (counts.bytes += bytes.length),
  });
  decoder.push(Buffer.concat(new Array<Uint8Array>(100_000).fill(encodeOption(DO, 99))));
  decoder.push(Buffer.concat(new Array<Uint8Array>(100_000).fill(encodeCommand(COMMAND.AYT))));
  decoder.push(Buffer.alloc(200_000, IAC));
  t.same(counts, { commands: 100_000, options: 100_000, bytes: 100_000 });
});

t.test('a limit that is no limit is refused', async (t) => {
  t.throws(() => new TelnetDecoder(ignoring, 0), RangeError);
  t.throws(() => new TelnetDecoder(ignoring, 1.5), RangeError);
});

t.test('the scanner hands over what it has of a command, and starts afresh', async (t) => {
  const cases = [
    { pushed: 'ff', partial: 'ff' },
    { pushed: '61 ff fb', partial: 'fffb' },
    { pushed: 'ff fa 18 00 ff', partial: 'ff' },
    { pushed: 'ff fa 18 00', partial: '' },
    { pushed: '61 ff ff', partial: '' },
    { pushed: 'ff fb 01', partial: '' },
  ];
  for (const { pushed, partial } of cases) {
    const scanner = new TelnetScanner(ignoringPieces);
    scanner.push(hex(pushed));
    t.equal(Buffer.from(scanner.takePartial()).toString('hex'), partial, pushed);
    t.equal(scanner.takePartial().length, 0, `${pushed}, taken`);
  }
});

t.test('options and commands are encoded in RFC 854 form', async (t) => {
  t.same(encodeOption(DO, OPTION.NAWS), hex('ff fd 1f'));
  t.same(encodeOption(WILL, OPTION.ECHO), hex('ff fb 01'));
  t.same(encodeCommand(COMMAND.IP), hex('ff f4'));
});

t.test('subnegotiations are encoded with every 255 doubled, in the option too', async (t) => {
  t.same(encodeSubnegotiation(OPTION.NAWS, hex('00 ff 00 18')), hex('ff fa 1f 00 ff ff 00 18 ff f0'));
  t.same(encodeSubnegotiation(255, hex('01')), hex('ff fa ff ff 01 ff f0'));
  t.same(decodeAll([encodeSubnegotiation(255, hex('ff ff'))]), ['SB ff ffff']);
});

t.test('data without 255 is escaped to itself', async (t) => {
  const plain = Buffer.from('plain');
  t.equal(escapeData(plain), plain);
});

t.test('each 255 of data is doubled', async (t) => {
  t.same(escapeData(hex('ff')), hex('ff ff'));
  t.same(escapeData(hex('61 ff 62 ff ff 63')), hex('61 ff ff 62 ff ff ff ff 63'));
});

t.test('names say what a negotiation is about', async (t) => {
  t.equal(describeOption(DO, OPTION.NAWS), 'DO NAWS');
  t.equal(describeOption(WONT, OPTION.TIMING_MARK), 'WONT TIMING-MARK');
  t.equal(describeOption(DONT, 200), 'DONT 200');
  t.equal(describeCommand(COMMAND.AYT), 'AYT');
  t.equal(describeCommand(7), '7');
});

const ignoring = { data() {}, command() {}, option() {}, subnegotiation() {}, overflow() {} };
const ignoringPieces = {
  data() {},
  command() {},
  option() {},
  subnegotiationBegan() {},
  subnegotiationPart() {},
  subnegotiationEnded() {},
};
