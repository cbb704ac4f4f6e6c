/**
 * What an administrator can order, over the management socket. Each order checks its own arguments, because whoever
 * writes to the socket need not be our client; each change is in the audit file.
 */
import type { Clock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import { ROLES, type Accounts, type Role } from './accounts.ts';
import type { Audit } from './audit.ts';
import type { ConnectorDesk } from './connector-desk.ts';
import { PASSWORD_TTL_MS_MAX } from './limits.ts';
import { BARE_NEEDS_SECRET, type RequestName, type Requests } from './control-protocol.ts';
import type { Inviter } from './inviter.ts';
import { withDash, type Sessions } from './sessions.ts';
import type { StandingConnectors } from './standing-connectors.ts';

export interface AdministrationHost {
  readonly accounts: Accounts;
  readonly audit: Audit;
  readonly inviter: Inviter;
  readonly sessions: Sessions;
  readonly connectors: StandingConnectors;
  readonly desk: ConnectorDesk;
}

type Orders = {
  readonly [N in RequestName]: (
    request: Requests[N]['request'],
  ) => Promise<Requests[N]['answer']> | Requests[N]['answer'];
};

/** The orders as a table by name. They throw or reject with OperatorError or StretchingBusy. */
export function makeOrders(host: AdministrationHost, clock: Clock): Orders {
  const { accounts, audit, inviter, sessions, connectors, desk } = host;
  const changed = (act: string, name: string, more: { role?: Role } = {}): null => {
    audit.record('account-changed', { act, name, ...more });
    return null;
  };
  return {
    'user-add': async ({ name, role, password }) => {
      if (!ROLES.includes(role)) throw new OperatorError(`a role is one of ${ROLES.join(', ')}`);
      await accounts.add(text('name', name), role, text('password', password));
      return changed('add', name, { role });
    },
    'user-list': () => accounts.list(),
    'user-passwd': async ({ name, password }) => {
      await accounts.setPassword(text('name', name), text('password', password));
      return changed('passwd', name);
    },
    'user-disable': ({ name }) => {
      accounts.disable(text('name', name));
      return changed('disable', name);
    },
    'user-remove': ({ name }) => {
      accounts.remove(text('name', name));
      return changed('remove', name);
    },
    'otp-new': async ({ label, ttlMs, secret, bare = false, owner = null }) => {
      if (!(ttlMs > 0 && ttlMs <= PASSWORD_TTL_MS_MAX))
        throw new OperatorError('a password lives at most an hour');
      if (typeof bare !== 'boolean') throw new OperatorError('bare is true or false');
      if (bare && secret === null) throw new OperatorError(BARE_NEEDS_SECRET);
      if (owner !== null) accounts.refuseUnusable(text('owner', owner));
      const invited = await inviter.invite({
        label: text('label', label),
        owner,
        ttlMs,
        secret: secret === null ? null : text('secret', secret),
        bare,
      });
      return {
        session: invited.session.id,
        customerPassword: invited.customerPassword,
        engineerPassword: invited.engineerPassword,
        expiresAt: new Date(clock.wallNow() + invited.ttlMs).toISOString(),
      };
    },
    sessions: () => sessions.list(),
    close: ({ session: id }) => {
      const session = sessions.byId(text('session', id));
      if (!session)
        throw new OperatorError(`there is no session ${JSON.stringify(id)}; see: relayapp sessions`);
      audit.record('session-closed', { session: session.id });
      sessions.close(session);
      return { session: session.id };
    },
    'connector-list': () => connectors.list(),
    'connector-revoke': ({ connector: id }) => {
      const connector = connectors.byId(withDash(text('connector', id)));
      if (!connector)
        throw new OperatorError(`there is no connector ${JSON.stringify(id)}; see: relayapp connector list`);
      desk.revoke(connector);
      return { connector: connector.id };
    },
  };
}

function text(field: string, value: unknown): string {
  if (typeof value !== 'string') throw new OperatorError(`the request lacks its ${field}`);
  return value;
}
