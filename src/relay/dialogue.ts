/**
 * What the relay says to an engineer and what may be typed: login, `relay> ` commands, and the way into a visit.
 *
 * Reads top-down like the conversation. It holds no rule of sessions: it seats the engineer (`Seat`), waits, and
 * shows what came of it. A hang-up at any point surfaces as LineClosed and ends the conversation.
 */
import type { Cancel } from '../base/clock.ts';
import { durationText } from '../base/options.ts';
import { visibleText } from '../base/text.ts';
import { errorText, OperatorError } from '../base/errors.ts';
import type { Splice } from '../stream/splice.ts';
import type { Leg } from '../stream/leg.ts';
import { outcomeRow, type Outcome } from '../wire/outcomes.ts';
import type { Account } from './accounts.ts';
import type { ConnectorDesk } from './connector-desk.ts';
import type { Inviter } from './inviter.ts';
import type { EngineerLine } from './engineer-line.ts';
import { Interrupted, LineClosed } from './engineer-line.ts';
import { LOGIN_TRIES_MAX } from './limits.ts';
import { checkLogin, type Caller, type LoginDesk } from './login.ts';
import type { EngineerSeat, Session } from './session.ts';
import { withDash, type Sessions, type SessionView } from './sessions.ts';
import type { ConnectorView, StandingConnector, StandingConnectors } from './standing-connectors.ts';
import { StretchingBusy } from './stretching.ts';

export interface DialogueHost extends LoginDesk {
  readonly sessions: Sessions;
  readonly connectors: StandingConnectors;
  readonly desk: ConnectorDesk;
  readonly relayName: string;
  readonly inviter: Inviter;
  /** How long a prompt may stand without a line. */
  readonly promptIdleMs: number;
}

/** The connector's default. */
const TELNET_PORT = 23;

const ACCOUNT_DISABLED = 'This account was disabled.\n';
const HELP = `Commands:
  new [label]   make a one-time password for a customer, wait for the customer, connect
  list          show sessions, and customers whose connector stays
  open ID       connect to the customer of a session, or to one whose connector stays
  help          this text
  quit          hang up
^C goes back to the prompt while you wait. ^U clears the line.
`;

/** Holds the conversation on `line` until one side hangs up. Never rejects. */
export async function converse(line: EngineerLine, host: DialogueHost): Promise<void> {
  try {
    line.greet();
    line.print(`secure-telnet relay ${host.relayName}\n\n`);
    const caller = await logIn(line, host);
    if (caller === null) return line.hangUp();
    line.timer.cancel();
    if (caller.kind === 'account') await serveAccount(line, host, caller.account);
    else await serveSession(line, host, caller.session);
    line.hangUp();
  } catch (error) {
    if (!(error instanceof LineClosed)) throw error;
  }
}

/** Three tries, one answer for whatever was wrong. The deadline for all of it was armed at accept. */
async function logIn(line: EngineerLine, host: DialogueHost): Promise<Caller | null> {
  for (let tries = 0; tries < LOGIN_TRIES_MAX;) {
    try {
      const name = (await line.ask('relay login: ')).trim();
      if (name === '') continue;
      const password = await line.ask('Password: ', { hidden: true });
      tries += 1;
      const caller = await line.waitFor(checkLogin(host, name, password, line.leg.remoteAddress));
      if (caller) return caller;
      line.print('Login incorrect\n');
    } catch (error) {
      if (error instanceof StretchingBusy) {
        tries -= 1;
        line.print(`${error.message}\n`);
      } else if (error instanceof Interrupted) line.print('\n');
      else throw error;
    }
  }
  return null;
}

async function serveAccount(line: EngineerLine, host: DialogueHost, { name }: Account): Promise<void> {
  line.print(`Welcome, ${name}. Type help for the commands.\n`);
  for (;;) {
    try {
      line.timer.armIn(host.promptIdleMs, () => line.timeOut());
      const words = (await line.ask('relay> ')).trim().split(/\s+/);
      line.timer.cancel();
      const account = host.accounts.enabled(name);
      if (account === null) return line.print(ACCOUNT_DISABLED);
      const [command = '', ...rest] = words;
      if (command === 'quit' || command === 'exit' || command === 'logout') return;
      await obey(line, host, account, command, rest.join(' '));
    } catch (error) {
      if (error instanceof Interrupted) line.print('\n');
      else if (error instanceof OperatorError) line.print(`${errorText(error)}\n`);
      else throw error;
    }
  }
}

async function obey(
  line: EngineerLine,
  host: DialogueHost,
  account: Account,
  command: string,
  rest: string,
): Promise<void> {
  switch (command) {
    case '':
      return;
    case 'new':
      return refusesObserver(line, account) ? undefined : makeNew(line, host, account, rest);
    case 'list':
      return line.print(listText(host, account));
    case 'open':
      return refusesObserver(line, account) ? undefined : open(line, host, account, rest);
    case 'help':
    case '?':
      return line.print(HELP);
    default:
      return line.print(`There is no command ${visibleText(command)}; type help.\n`);
  }
}

function refusesObserver(line: EngineerLine, account: Account): boolean {
  if (account.role !== 'observer') return false;
  line.print('An observer cannot make or open sessions.\n');
  return true;
}

async function makeNew(
  line: EngineerLine,
  host: DialogueHost,
  account: Account,
  label: string,
): Promise<void> {
  const { session, customerPassword, ttlMs } = await line.waitFor(
    host.inviter.invite({ label, owner: account.name }),
  );
  line.print(
    `Session ${session.id}. One-time password for the customer, good for ${durationText(ttlMs)}:\n\n`,
  );
  line.print(`    ${customerPassword}\n\n`);
  const port = line.leg.localPort === TELNET_PORT ? '' : ` -port ${line.leg.localPort}`;
  line.print(
    `The customer runs:\n\n    tndconnect -host ${host.relayName}${port} -password ${customerPassword}\n\n`,
  );
  await visit(line, host, session, visitorOf(host, account));
}

async function open(line: EngineerLine, host: DialogueHost, account: Account, id: string): Promise<void> {
  if (id === '') return line.print('usage: open ID; type list to see the ids.\n');
  const session = host.sessions.byId(id);
  const connector = session?.standing ?? host.connectors.byId(withDash(id));
  const isVisible = ({ owner }: { owner: string | null }): boolean =>
    account.role === 'admin' || owner === account.name;
  const visitor = visitorOf(host, account);
  // The invitation's own session first; who finds it taken has a session of their own.
  const isFree = session !== null && (session.standing === null || isInvitation(session));
  if (session && isFree && isVisible(session)) return visit(line, host, session, visitor);
  if (connector && isVisible(connector)) return visitStanding(line, host, connector, visitor);
  line.print(`There is no session ${visibleText(id)}; type list.\n`);
}

/** A session that still waits for whoever was invited with its connector. */
function isInvitation({ engineer, engineerPasswordHash }: Session): boolean {
  return engineer === null && engineerPasswordHash !== null;
}

/** Who asks for a visit. */
interface Visitor {
  readonly who: string;
  /** To a prompt, after the visit. */
  readonly returns: boolean;
  /** Asked after a wait that may have been long. */
  mayEnter(): boolean;
}

function visitorOf({ accounts }: DialogueHost, { name }: Account): Visitor {
  return { who: name, returns: true, mayEnter: () => accounts.enabled(name) !== null };
}

const PASSWORD_HOLDER: Visitor = {
  who: 'the holder of the engineer password',
  returns: false,
  mayEnter: () => true,
};

/** The original's way: straight to the daemon's login screen, and the line closes after the visit. */
async function serveSession(line: EngineerLine, host: DialogueHost, session: Session): Promise<void> {
  try {
    await visit(line, host, session, PASSWORD_HOLDER);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  }
}

/** Waits for the customer, asks for consent, and returns when the visit is over and the line is ours again. */
async function visit(
  line: EngineerLine,
  host: DialogueHost,
  session: Session,
  visitor: Visitor,
): Promise<void> {
  const { who, returns, mayEnter } = visitor;
  const { sessions } = host;
  const state = sessions.stateOf(session);
  if (state === 'awaitingCustomer') line.print('Waiting for the customer (^C to stop)...\n');
  if (state === 'awaitingReturn')
    line.print("The customer's connection is interrupted; waiting for it (^C to stop)...\n");
  const came = await customerOf(line, sessions, session);
  if (came !== 'customer') return line.print(`${outcomeRow(came).forEngineer} (${came})\n`);
  if (!mayEnter()) return line.print(ACCOUNT_DISABLED);
  const seat = new Seat(line, who, returns);
  if (!sessions.engineerArrived(session, seat)) {
    // Somebody with an account has a visit of their own, then.
    if (session.standing && returns) return visitStanding(line, host, session.standing, visitor);
    const isOver = sessions.stateOf(session) === 'ended';
    return line.print(isOver ? 'The session is over.\n' : 'Somebody else is working on this session.\n');
  }
  await sit(line, sessions, session, seat);
}

/** A visit to a customer whose connector stays; the customer is there, or it is said that it is not. */
async function visitStanding(
  line: EngineerLine,
  host: DialogueHost,
  connector: StandingConnector,
  { who, returns }: Visitor,
): Promise<void> {
  const seat = new Seat(line, who, returns);
  await sit(line, host.sessions, host.desk.openVisit(connector, seat), seat);
}

/** In the seat until the visit is over. */
async function sit(line: EngineerLine, sessions: Sessions, session: Session, seat: Seat): Promise<void> {
  try {
    const outcome = await line.waitFor(seat.outcome);
    if (seat.wasSpliced) line.takeBack();
    line.print(`\n${outcomeRow(outcome).forEngineer} (${outcome})\n`);
    if (seat.returns) await line.resync();
  } catch (error) {
    sessions.engineerLeft(session, seat);
    if (error instanceof Interrupted) await line.resync();
    throw error;
  }
}

/** Waits for the customer, or for what ends the session before. */
async function customerOf(
  line: EngineerLine,
  sessions: Sessions,
  session: Session,
): Promise<'customer' | Outcome> {
  let endWatch: Cancel = () => {};
  const came = new Promise<'customer' | Outcome>((resolve) => {
    endWatch = sessions.watchCustomer(session, resolve);
  });
  return line.waitFor(came).finally(() => endWatch());
}

/** This line as the engineer of a session. */
class Seat implements EngineerSeat {
  readonly who: string;
  readonly returns: boolean;
  readonly outcome: Promise<Outcome>;
  wasSpliced = false;
  readonly #line: EngineerLine;
  #resolve!: (outcome: Outcome) => void;

  constructor(line: EngineerLine, who: string, returns: boolean) {
    this.#line = line;
    this.who = who;
    this.returns = returns;
    this.outcome = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get from(): string {
    return this.#line.leg.remoteAddress;
  }

  get over(): string {
    return this.#line.over;
  }

  get leg(): Leg {
    return this.#line.leg;
  }

  tell(text: string): void {
    this.#line.print(this.wasSpliced ? `\n[relay: ${text}]\n` : `${text}\n`);
  }

  startSync(done: () => void): void {
    this.#line.startSync(done);
  }

  syncExpired(): void {
    this.#line.syncExpired();
  }

  join(splice: Splice): void {
    this.wasSpliced = true;
    this.#line.join(splice);
  }

  sessionOver(outcome: Outcome): void {
    this.#resolve(outcome);
  }
}

function listText({ sessions, connectors }: DialogueHost, { role, name }: Account): string {
  const owner = role === 'admin' ? null : name;
  const standing = connectors.list().filter((view) => owner === null || view.owner === owner);
  const text = sessionsText(sessions.list(owner));
  return standing.length === 0 ? text : `${text}\n${connectorsText(standing)}`;
}

function sessionsText(sessions: readonly SessionView[]): string {
  if (sessions.length === 0) return 'No sessions.\n';
  const rows = sessions.map(({ session, state, customer, target, engineer, label }) => {
    const where = customer === null ? '-' : `${customer} (${visibleText(target ?? '')})`;
    return `${session}  ${state.padEnd(19)}  ${where.padEnd(28)}  ${(engineer ?? '-').padEnd(20)}  ${visibleText(label)}`;
  });
  return `${['SESSION    STATE                CUSTOMER                      ENGINEER              LABEL', ...rows].join('\n')}\n`;
}

function connectorsText(connectors: readonly ConnectorView[]): string {
  const rows = connectors.map(({ connector, state, since, from, hostName, target, label }) => {
    const where = `${from ?? '-'} (${visibleText(hostName)}, ${visibleText(target)})`;
    return `${connector}  ${state.padEnd(7)}  ${since.slice(0, 16)}Z  ${where.padEnd(40)}  ${visibleText(label)}`;
  });
  return `${['CONNECTOR  STATE    SINCE              CUSTOMER                                  LABEL', ...rows].join('\n')}\n`;
}
