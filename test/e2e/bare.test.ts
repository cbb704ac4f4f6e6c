/**
 * Passwords without a nameplate, as in the original: `tndconnect -password cisco`. At most one lives on a relay, and
 * who guesses learns nothing from how the relay answers.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { dialFrames, proveWith, type Secret } from '../helpers/frame-peer.ts';
import { audited, outcomesOf } from '../helpers/people.ts';
import { runProgram, startRelay, type OneTimePassword } from '../helpers/programs.ts';
import { startDaemon, startRig, temporaryFolder, TestSocket, type Rig } from '../helpers/rig.ts';

const PASSWORD_REFUSED = 24;

t.test("a visit with the original's command line; the secret is in no file", async (t) => {
  const relay = await startRelay({ args: ['--verbose'] });
  t.teardown(() => relay.stop());
  const daemon = await startDaemon(t);
  const folder = temporaryFolder(t);
  const connect = (password: string) => {
    const connector = runProgram('connector', [
      ...['-host', relay.host, '-password', password, '-file', join(folder, 'connect.log')],
      ...['-port', String(relay.port), '-verbose', '-noecho', '-consent', 'auto'],
      ...['-target', `${daemon.address.host}:${daemon.address.port}`],
    ]);
    t.teardown(() => connector.stop());
    return connector;
  };
  const makeBare = async () =>
    JSON.parse(
      await relay.command(['otp', 'new', '--bare', '--secret', 'cisco', '--json']),
    ) as OneTimePassword;

  const made = await makeBare();
  t.equal(made.customerPassword, 'cisco');
  await t.rejects(makeBare(), { message: new RegExp(`session ${made.session} has a bare password`) });
  const connector = connect('cisco');
  await connector.output(/waiting for the engineer/);
  const engineer = await TestSocket.connect(t, { host: relay.host, port: relay.port });
  await engineer.logIn(made.session, made.engineerPassword);
  const site = await daemon.accepted();
  await engineer.has('daemon ready');
  t.equal((await connect('cisco').ended).code, PASSWORD_REFUSED, 'it is used');
  t.equal((await makeBare()).customerPassword, 'cisco', 'the next can be made while the visit lasts');
  site.socket.end();
  await engineer.ended;
  engineer.socket.end();
  t.equal((await connector.ended).code, 0);
  t.match(connector.stdout, /This password is bare/);

  const files = [join(folder, 'connect.log'), join(relay.state, 'audit.jsonl')];
  const texts = [
    ...files.map((file) => readFileSync(file, 'latin1')),
    relay.process.stderr,
    connector.stdout,
  ];
  for (const text of texts) {
    t.ok(text.length > 0);
    t.notMatch(text, 'cisco');
  }
});

t.test('three wrong tries, by anybody, burn it; then another can be made', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  const invited = await rig.invite({ secret: 'cisco', bare: true });
  for (const wrong of ['Cisco', 'cisc', 'letmein']) {
    t.equal(await rig.connect(wrong, daemon.address).done, PASSWORD_REFUSED);
  }
  t.match(audited(rig, 'confirmation-wrong'), [{ tries: 1 }, { tries: 2 }, { tries: 3 }]);
  t.same(outcomesOf(rig, invited), ['burned']);
  t.equal(await rig.connect('cisco', daemon.address).done, PASSWORD_REFUSED);
  await rig.invite({ secret: 'cisco', bare: true });
  await rig.connect('cisco', daemon.address).shows('waiting for the engineer');
});

t.test('mistakes of other passwords are no try', async (t) => {
  const rig = await startRig(t);
  const daemon = await startDaemon(t);
  await rig.invite({ secret: 'cisco', bare: true });
  const { customerPassword } = await rig.invite({ secret: 'geheim-2' });
  const mistakes = [' ', '_', ' - ', ''].map((sign) => `AB3D9Z${sign}cisco`);
  for (const typed of [...mistakes, customerPassword.replace('-', ' '), customerPassword.slice(6)]) {
    await t.rejects(rig.connect(typed, daemon.address).done, { name: 'OperatorError', status: 2 }, typed);
  }
  t.equal(
    await rig.connect('AB3D9Z-cisco', daemon.address).done,
    PASSWORD_REFUSED,
    'of an unknown nameplate',
  );
  t.same(audited(rig, 'confirmation-wrong'), []);
  await rig.connect('cisco', daemon.address).shows('waiting for the engineer');
});

t.test('none made, wrong, used and burned get the frames that an unknown nameplate gets', async (t) => {
  const rig = await startRig(t);
  const bare = (): Secret => ({ nameplate: '', prs: randomBytes(32) });
  const traces = new Map<string, unknown>();
  const trace = async (what: string, secret: Secret): Promise<void> => {
    const peer = await dialFrames(t, rig.address);
    const { answer } = await proveWith(peer, secret);
    t.equal(await peer.next(), null);
    traces.set(what, [answer, peer.receivedBytes, peer.socket.bytesRead]);
  };
  await trace('unknown', { nameplate: 'AB3D9Z', prs: randomBytes(32) });
  await trace('none made', bare());
  t.equal(audited(rig, 'confirmation-wrong').length, 0);
  await makeLive(rig);
  for (const what of ['wrong', 'wrong again', 'burning', 'burned']) await trace(what, bare());
  t.equal(audited(rig, 'confirmation-wrong').length, 3);
  const { prs } = await makeLive(rig);
  const right = { nameplate: '', prs: Uint8Array.from(prs) };
  t.equal((await proveWith(await dialFrames(t, rig.address), right)).answer?.name, 'accepted');
  await trace('used', right);
  for (const [what, seen] of traces) t.same(seen, traces.get('unknown'), what);
  t.match(traces.get('unknown'), [{ name: 'refused', reason: 1 }, Number, Number]);
});

async function makeLive(rig: Rig) {
  await rig.invite({ secret: 'cisco', bare: true });
  return rig.relay.sessions.invitations.find('')!;
}
