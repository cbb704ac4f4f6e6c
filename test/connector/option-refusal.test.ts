/**
 * What the connector takes out of the telnet stream: options that would hide the visit from the customer. Everything
 * else goes on byte for byte, and what the daemon shows is seen without telnet commands.
 */
import t from 'tap';
import { OptionRefusal } from '../../src/connector/option-refusal.ts';
import {
  COMMAND,
  DO,
  DONT,
  encodeCommand,
  encodeOption,
  IAC,
  OPTION,
  WILL,
  WONT,
} from '../../src/wire/telnet.ts';
import { describeOption, encodeSubnegotiation, escapeData, TelnetDecoder } from '../wire/telnet-reader.ts';

const REFUSED = [
  OPTION.AUTHENTICATION,
  OPTION.ENCRYPT,
  OPTION.START_TLS,
  OPTION.COMPRESS,
  OPTION.COMPRESS2,
  OPTION.COMPRESS3,
];

t.test('an offer is taken out and answered with DONT, a request with WONT', (t) => {
  for (const option of REFUSED) {
    const name = describeOption(WILL, option);
    t.same(
      refuse(encodeOption(WILL, option)),
      { passed: '', shown: '', answers: [`DONT ${name.slice(5)}`] },
      name,
    );
    t.same(refuse(encodeOption(DO, option)).answers, [`WONT ${name.slice(5)}`]);
  }
  t.end();
});

t.test('a withdrawal of what was never agreed is taken out and not answered', (t) => {
  for (const option of REFUSED) {
    for (const verb of [WONT, DONT]) {
      t.same(refuse(encodeOption(verb, option)), { passed: '', shown: '', answers: [] });
    }
  }
  t.end();
});

t.test('their subnegotiations are taken out whole, also with a doubled 255 in them', (t) => {
  for (const option of REFUSED) {
    const wire = join('a', encodeSubnegotiation(option, Uint8Array.of(1, IAC, 2)), 'b');
    t.same(refuse(wire), { passed: 'ab', shown: 'ab', answers: [] });
  }
  t.end();
});

t.test('a subnegotiation that takes the option number for data is none of theirs', (t) => {
  const wire = encodeSubnegotiation(OPTION.TERMINAL_TYPE, Uint8Array.of(OPTION.ENCRYPT));
  t.equal(refuse(wire).passed, latin1(wire));
  t.end();
});

t.test('every other option, command and subnegotiation goes on as it came', (t) => {
  const others = Array.from({ length: 256 }, (_, option) => option).filter(
    (option) => !REFUSED.includes(option as never),
  );
  const codes = Array.from({ length: 250 }, (_, code) => code).filter((code) => code !== COMMAND.SB);
  const wire = join(
    ...others.flatMap((option) => [WILL, WONT, DO, DONT].map((verb) => encodeOption(verb, option))),
    ...others.map((option) => encodeSubnegotiation(option, Uint8Array.of(0, IAC, option))),
    ...codes.map((code) => encodeCommand(code)),
    'text ',
    escapeData(Uint8Array.of(1, IAC, IAC, 2)),
  );
  const { passed, shown, answers } = refuse(wire);
  t.equal(passed, latin1(wire));
  t.equal(shown, 'text \x01\xff\xff\x02');
  t.same(answers, []);
  t.end();
});

t.test('an empty subnegotiation goes on, and one that a command cuts off as far as it came', (t) => {
  const empty = join(encodeCommand(COMMAND.SB), encodeCommand(COMMAND.SE));
  t.equal(refuse(empty).passed, latin1(empty));
  const cut = join(encodeCommand(COMMAND.SB), Uint8Array.of(OPTION.NAWS, 1), encodeCommand(COMMAND.NOP), 'x');
  t.same(refuse(cut), { passed: latin1(cut), shown: 'x', answers: [] });
  t.end();
});

t.test('a refused subnegotiation that is cut off by a command hides no more than itself', (t) => {
  const wire = join(
    encodeCommand(COMMAND.SB),
    Uint8Array.of(OPTION.ENCRYPT, 1),
    encodeOption(DO, OPTION.ECHO),
    'seen',
  );
  t.same(refuse(wire), {
    passed: latin1(join(encodeOption(DO, OPTION.ECHO), 'seen')),
    shown: 'seen',
    answers: [],
  });
  t.end();
});

t.test('what cuts a subnegotiation off and is taken out leaves a command that does', (t) => {
  const begun = join(
    encodeCommand(COMMAND.SB),
    encodeOption(DO, OPTION.ENCRYPT),
    Uint8Array.of(OPTION.ENCRYPT),
  );
  t.equal(
    refuse(join(begun, encodeCommand(COMMAND.SE))).passed,
    latin1(
      join(
        encodeCommand(COMMAND.SB),
        encodeCommand(COMMAND.NOP),
        Uint8Array.of(OPTION.ENCRYPT),
        encodeCommand(COMMAND.SE),
      ),
    ),
    'or data would become a subnegotiation of what is refused',
  );
  const part = join(encodeCommand(COMMAND.SB), Uint8Array.of(OPTION.NAWS, 0));
  t.equal(
    refuse(join(part, encodeSubnegotiation(OPTION.ENCRYPT, Uint8Array.of(1)), 'x')).passed,
    latin1(join(part, encodeCommand(COMMAND.NOP), 'x')),
  );
  t.end();
});

t.test('an option that hides in the middle of text leaves nothing of itself behind', (t) => {
  const wire = join('before', encodeOption(WILL, OPTION.COMPRESS2), 'after');
  t.same(refuse(wire), { passed: 'beforeafter', shown: 'beforeafter', answers: ['DONT COMPRESS2'] });
  t.end();
});

t.test('a chunk without commands goes on as the very same bytes, uncopied', (t) => {
  const refusal = new OptionRefusal({ answer: () => t.fail('nothing to answer') });
  const chunk = Buffer.from('plain text');
  const passed = refusal.push(chunk);
  t.equal(passed.buffer, chunk.buffer);
  t.equal(passed.byteOffset, chunk.byteOffset);
  t.equal(passed.length, chunk.length);
  t.end();
});

t.test('however much is refused in a chunk, it is shown and answered once', (t) => {
  let shown = 0;
  let answers = 0;
  const refusal = new OptionRefusal({
    shown: () => (shown += 1),
    answer: (bytes) => {
      answers += 1;
      t.equal(bytes.length, 3_000);
    },
  });
  refusal.push(join(...Array.from({ length: 1_000 }, () => join('x', encodeOption(DO, OPTION.ENCRYPT)))));
  t.same([shown, answers], [1, 1]);
  refusal.push(Buffer.alloc(0));
  refusal.push(Uint8Array.of(IAC));
  t.same([shown, answers], [1, 1], 'where there is nothing to show nothing is shown');
  t.end();
});

/** What goes on, what is seen and what the sender is told, of one chunk. */
function refuse(wire: Uint8Array): { passed: string; shown: string; answers: string[] } {
  const answers: string[] = [];
  let shown = '';
  const refusal = new OptionRefusal({
    shown: (bytes) => (shown += latin1(bytes)),
    answer: (bytes) => answers.push(...optionsIn(bytes)),
  });
  return { passed: latin1(refusal.push(wire)), shown, answers };
}

function optionsIn(bytes: Uint8Array): string[] {
  const options: string[] = [];
  new TelnetDecoder({
    data() {},
    command() {},
    option: (verb, option) => options.push(describeOption(verb, option)),
    subnegotiation() {},
    overflow() {},
  }).push(bytes);
  return options;
}

function join(...parts: readonly (string | Uint8Array)[]): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
