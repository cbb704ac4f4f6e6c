/**
 * `relayapp serve`: the order in which a relay comes up and goes down.
 *
 * Ports are bound first, while there may be root; then the state directory is handed to the user the relay runs as,
 * root is given up, and only then is anything read that came from outside or is secret.
 */
import { hostPortText, NetworkList, type HostPort } from '../base/address.ts';
import type { Clock } from '../base/clock.ts';
import { OperatorError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { parseOptions } from '../base/options.ts';
import { loadSocketCalls } from '../stream/socket-calls.ts';
import { ControlServer } from './control-server.ts';
import { loadIdentity } from './identity.ts';
import { DEADLINE_LIMITS, SESSIONS_MAX } from './limits.ts';
import { addressOf, listenAll, parseListen } from './listeners.ts';
import { SERVE_OPTIONS, STYLE } from './options.ts';
import { becomeUser, chooseUser, type Credentials } from './privileges.ts';
import { Relay } from './relay.ts';
import { checkReach, locateState, prepareState, type Surroundings } from './state-directory.ts';

export interface ServeSurroundings extends Surroundings {
  readonly clock: Clock;
  readonly log: Log;
  readonly credentials: Credentials;
  readonly platform: string;
  readonly hostName: string;
  readonly software: string;
}

export interface Serving {
  readonly addresses: readonly HostPort[];
  /** Ends every visit with a word to both people; resolves when all is closed, within ten seconds. */
  stop(): Promise<void>;
}

/** RFC 1918, RFC 4193, RFC 3927, RFC 4291 and loopback: where plain telnet is taken from by default. */
const PRIVATE_NETWORKS = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
];
const LOOPBACK = new NetworkList(['127.0.0.0/8', '::1/128']);

/** Starts a relay by its command line. Rejects with OperatorError. */
export async function serve(argv: readonly string[], surroundings: ServeSurroundings): Promise<Serving> {
  const { clock, log, credentials } = surroundings;
  const { options, operands } = parseOptions(SERVE_OPTIONS, argv, STYLE);
  if (operands.length > 0)
    throw new OperatorError(`serve takes no operand ${JSON.stringify(operands[0])}; ${STYLE.hint}`);
  const addresses = parseListen(options.listen);
  const telnetFrom = checkNetworks(options.telnetFrom);
  const runAs = chooseUser(credentials, options.user);
  const state = locateState(options.state, surroundings);

  const { urgent, silence } = await loadSocketCalls(surroundings.platform);
  const servers = await listenAll(addresses);
  try {
    prepareState(state, runAs);
    if (runAs) {
      becomeUser(credentials, runAs);
      checkReach(state, runAs);
    }
    const identity = await loadIdentity(state, clock.wallNow());
    const relay = new Relay(
      {
        relayName: options.name ?? surroundings.hostName,
        software: surroundings.software,
        telnetFrom: telnetFrom ?? PRIVATE_NETWORKS,
        greetAfterMs: options.greetAfter,
        connectorExpiryMs: options.connectorExpiry,
        limits: {
          ...DEADLINE_LIMITS,
          sessionsMax: SESSIONS_MAX,
          idleMs: options.idleTimeout,
          lifetimeMs: options.lifetime,
          consentMs: options.consentTimeout,
          waitMs: options.waitTimeout,
        },
      },
      { clock, log, urgent, silence, state, identity },
    );
    const control = new ControlServer(relay, clock, log);
    await control.listen(state.controlSocket);
    for (const server of servers) relay.serve(server);
    const bound = servers.map(addressOf);
    relay.audit.record('relay-start', { relayId: identity.relayId });
    announce(log, bound, {
      relayId: identity.relayId,
      state: state.path,
      user: runAs?.name ?? '(unchanged)',
    });
    warnOfWeaknesses(log, {
      urgentAvailable: urgent.available,
      silenceAvailable: silence.available,
      usesDefault: telnetFrom === null,
      addresses: bound,
    });
    return {
      addresses: bound,
      // At once: no management client may keep the people of a visit waiting.
      stop: async () => void (await Promise.all([control.close(), relay.stop()])),
    };
  } catch (error) {
    for (const server of servers) server.close();
    throw error;
  }
}

/** Null when none is given. */
function checkNetworks(values: readonly string[]): readonly string[] | null {
  const networks = values.flatMap((value) => value.split(','));
  try {
    new NetworkList(networks);
  } catch (error) {
    throw new OperatorError(`--telnet-from: ${(error as Error).message}`);
  }
  return networks.length === 0 ? null : networks;
}

function announce(log: Log, addresses: readonly HostPort[], fields: Readonly<Record<string, string>>): void {
  log.info('relay-listening', { addresses: addresses.map(hostPortText).join(' '), ...fields });
}

function warnOfWeaknesses(
  log: Log,
  facts: {
    urgentAvailable: boolean;
    silenceAvailable: boolean;
    usesDefault: boolean;
    addresses: readonly HostPort[];
  },
): void {
  if (!facts.urgentAvailable) {
    log.warn('urgent-data-lossy', {
      why: 'the optional package koffi cannot be loaded: a telnet SYNCH may lose a byte',
    });
  }
  if (!facts.silenceAvailable) {
    log.warn('dead-peers-late', {
      why: 'the optional package koffi cannot be loaded: a peer that vanishes while bytes wait for it is noticed late',
    });
  }
  const isPublic = facts.addresses.some(({ host }) => !LOOPBACK.contains(host));
  if (facts.usesDefault && isPublic) {
    log.warn('telnet-from-default', {
      why: 'plain telnet is taken from private networks: behind NAT or a proxy every caller looks private; set --telnet-from',
    });
  }
}
