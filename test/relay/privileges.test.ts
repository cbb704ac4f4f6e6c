import t from 'tap';
import { becomeUser, chooseUser } from '../../src/relay/privileges.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:::\nrelay:x:500:600:::\n';

function fakeProcess(uid: number, canReturn = false) {
  const calls: string[] = [];
  return {
    calls,
    getuid: () => uid,
    setgroups: (groups: readonly number[]) => void calls.push(`setgroups ${groups.join()}`),
    setgid: (gid: number) => void calls.push(`setgid ${gid}`),
    setuid(id: number) {
      if (id === 0 && !canReturn) throw new Error('EPERM');
      calls.push(`setuid ${id}`);
      uid = id;
    },
  };
}

t.test('root becomes the named user, or the first of those that exist', async (t) => {
  const root = fakeProcess(0);
  t.same(chooseUser(root, 'relay', PASSWD), { name: 'relay', uid: 500, gid: 600 });
  t.equal(chooseUser(root, null, PASSWD)?.name, 'nobody');
  t.equal(chooseUser(root, null, `${PASSWD}secure-telnet:x:501:501:::\n`)?.name, 'secure-telnet');
});

t.test('whoever is not root stays who they are', async (t) => {
  t.equal(chooseUser(fakeProcess(1_000), null, PASSWD), null);
  t.throws(() => chooseUser(fakeProcess(1_000), 'relay', PASSWD), /--user needs a start as root/);
  t.equal(chooseUser({}, null, PASSWD), null, 'a system without user ids');
});

t.test('unknown users and root are refused', async (t) => {
  t.throws(() => chooseUser(fakeProcess(0), 'who', PASSWD), /there is no user "who"/);
  t.throws(() => chooseUser(fakeProcess(0), 'root', PASSWD), /must not be root/);
});

t.test('groups, then group, then user, and no way back', async (t) => {
  const root = fakeProcess(0);
  becomeUser(root, { name: 'relay', uid: 500, gid: 600 });
  t.same(root.calls, ['setgroups 600', 'setgid 600', 'setuid 500']);
  t.throws(
    () => becomeUser(fakeProcess(0, true), { name: 'relay', uid: 500, gid: 600 }),
    /could not be given up/,
  );
});
