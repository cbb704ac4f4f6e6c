/**
 * The relay as a whole: owns listeners, timers, sessions, accounts and audit; starts and stops them in order.
 *
 * Lifecycle: stopped -> running -> stopping -> stopped. `stop` tells both people of every visit, gives last bytes
 * their time, and cuts strangers at once, what else is left when the deadline comes; a second `stop` waits for the
 * first.
 */
import type { Server, Socket } from 'node:net';
import { NetworkList } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { PeerSilence, UrgentData } from '../stream/socket-calls.ts';
import { PROTOCOL_VERSION } from '../wire/frames.ts';
import { Accounts } from './accounts.ts';
import { Audit } from './audit.ts';
import { ConnectionTimers } from './connection-timers.ts';
import { ConnectorDesk } from './connector-desk.ts';
import { converse } from './dialogue.ts';
import type { EngineerLine } from './engineer-line.ts';
import { EngineerWay } from './engineer-way.ts';
import { receive, type FrontHost } from './front.ts';
import type { Identity } from './identity.ts';
import { Inviter } from './inviter.ts';
import { STOP_DEADLINE_MS } from './limits.ts';
import { Sessions, type SessionLimits } from './sessions.ts';
import { StandingConnectors } from './standing-connectors.ts';
import type { StateDirectory } from './state-directory.ts';
import { Stretcher } from './stretching.ts';

export interface RelaySettings {
  readonly relayName: string;
  readonly software: string;
  readonly telnetFrom: readonly string[];
  readonly greetAfterMs: number;
  /** How long a standing connector may come back by its key; 0 keeps none. */
  readonly connectorExpiryMs: number;
  readonly limits: SessionLimits;
}

export interface RelaySurroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly urgent: UrgentData;
  readonly silence: PeerSilence;
  readonly state: StateDirectory;
  readonly identity: Identity;
}

export class Relay {
  readonly sessions: Sessions;
  readonly connectors: StandingConnectors;
  readonly desk: ConnectorDesk;
  readonly accounts: Accounts;
  readonly engineerWay: EngineerWay;
  readonly inviter: Inviter;
  readonly audit: Audit;
  readonly relayName: string;
  readonly promptIdleMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #timers: ConnectionTimers;
  readonly #front: FrontHost;
  readonly #sockets = new Set<Socket>();
  readonly #forget: (this: Socket) => void;
  readonly #lines = new Set<EngineerLine>();
  readonly #servers: Server[] = [];
  #stopping: Promise<void> | null = null;

  /** Opens the audit file and reads the accounts. Throws OperatorError. */
  constructor(settings: RelaySettings, { clock, log, urgent, silence, state, identity }: RelaySurroundings) {
    const stretcher = new Stretcher();
    const { software } = settings;
    this.#clock = clock;
    this.#log = log;
    this.relayName = settings.relayName;
    this.promptIdleMs = settings.limits.idleMs;
    this.audit = new Audit(state.auditFile, clock, log);
    this.accounts = new Accounts(state.accountsFile, stretcher);
    this.connectors = new StandingConnectors(state.connectorsFile, clock, settings.connectorExpiryMs);
    const { connectors } = this;
    this.sessions = new Sessions(clock, log, this.audit, settings.limits, (id) => connectors.has(id));
    const card = { version: PROTOCOL_VERSION, relayId: identity.relayId, software };
    const parts = { clock, log, audit: this.audit, sessions: this.sessions, connectors };
    this.desk = new ConnectorDesk(card, identity, parts);
    this.engineerWay = new EngineerWay(clock, log, () => this.sessions.all());
    this.inviter = new Inviter(this.sessions, stretcher, this.audit);
    this.#timers = new ConnectionTimers(clock);
    const sockets = this.#sockets;
    this.#forget = function forget(this: Socket) {
      sockets.delete(this);
    };
    this.#front = {
      clock,
      log,
      urgent,
      silence,
      secureContext: identity.secureContext,
      timers: this.#timers,
      telnetFrom: new NetworkList(settings.telnetFrom),
      greetAfterMs: settings.greetAfterMs,
      connectors: this.desk,
      converse: (line) => this.#converse(line),
    };
  }

  /** Connections that are open, of every kind. */
  get connections(): number {
    return this.#timers.size;
  }

  /** Takes connections of a server that was bound before this relay was made. */
  serve(server: Server): void {
    server.on('connection', (socket) => this.#receive(socket));
    this.#servers.push(server);
  }

  /** Ends everything in good order within ten seconds. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#log.info('relay-stopping', { sessions: this.sessions.size });
    const listening = this.#servers.map((server) => new Promise((closed) => server.close(closed)));
    this.sessions.stop();
    this.desk.stop();
    for (const line of this.#lines) line.stop('[relay: the relay is shutting down]\n');
    // Connectors have had their `bye`, which closes their timers: nobody who was let in is among these.
    this.#timers.cutStrangers();
    const cut = this.#clock.after(STOP_DEADLINE_MS, () => this.#cutAll());
    await Promise.all(listening);
    cut();
    this.#timers.stop();
    this.audit.record('relay-stop', {});
    this.audit.close();
  }

  #converse(line: EngineerLine): void {
    this.#lines.add(line);
    line.timer.keep();
    converse(line, this)
      .catch((error: unknown) => {
        this.#log.error('dialogue-failed', {
          error: error instanceof Error ? (error.stack ?? '') : String(error),
        });
        line.hangUp();
      })
      .finally(() => this.#lines.delete(line))
      .catch(() => {});
  }

  #receive(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', this.#forget);
    receive(socket, this.#front);
  }

  #cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
