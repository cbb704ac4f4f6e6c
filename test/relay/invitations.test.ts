import t from 'tap';
import { Invitations, type Invitation } from '../../src/relay/invitations.ts';

const make = (nameplate: string): Invitation => ({
  nameplate,
  prs: Buffer.from('secret'),
  session: '0000-0001',
  wrongTries: 0,
});

t.test('a password is consumed exactly once, and its key material is wiped', async (t) => {
  const invitations = new Invitations();
  const invitation = make('AAAAAA');
  invitations.add(invitation);
  t.equal(invitations.find('AAAAAA'), invitation);
  t.same(
    [1, 2, 3].map(() => invitations.consume(invitation)),
    [true, false, false],
  );
  t.equal(invitations.find('AAAAAA'), null);
  t.ok(invitation.prs.every((byte) => byte === 0));
});

t.test('the third wrong confirmation burns it', async (t) => {
  const invitations = new Invitations();
  const invitation = make('AAAAAA');
  invitations.add(invitation);
  t.same(
    [1, 2, 3, 4].map(() => invitations.countWrong(invitation)),
    [false, false, true, false],
  );
  t.equal(invitations.find('AAAAAA'), null);
});

t.test('an old invitation does not take a new one of the same nameplate away', async (t) => {
  const invitations = new Invitations();
  const old = make('AAAAAA');
  invitations.add(old);
  invitations.consume(old);
  const fresh = make('AAAAAA');
  invitations.add(fresh);
  invitations.revoke(old);
  t.equal(invitations.consume(old), false);
  t.equal(invitations.find('AAAAAA'), fresh);
});

t.test('the empty nameplate is one like others, and stands for none of them', async (t) => {
  const invitations = new Invitations();
  invitations.add(make('AAAAAA'));
  t.equal(invitations.find(''), null);
  const bare = make('');
  invitations.add(bare);
  t.equal(invitations.find(''), bare);
  t.ok(invitations.consume(bare));
  t.equal(invitations.find(''), null);
  t.ok(invitations.find('AAAAAA'));
});

t.test('a nameplate in use is not given out again', async (t) => {
  const invitations = new Invitations();
  invitations.add(make('AAAAAA'));
  const offers = ['AAAAAA', 'AAAAAA', 'BBBBBB'];
  t.equal(
    invitations.freeNameplate(() => offers.shift()!),
    'BBBBBB',
  );
});
