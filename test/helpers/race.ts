/**
 * What tests of races have in common: a relay, a daemon and somebody between connector and relay, with a check that
 * nothing is left when everybody has gone; and the stages on the way into a visit, at which people leave.
 */
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import type { SessionLimits } from '../../src/relay/sessions.ts';
import type { FramePeer } from './frame-peer.ts';
import { CountingClock, watchLeaks, type People } from './people.ts';
import { startDaemon, startRig, type Rig, type TestDaemon, type TestSocket } from './rig.ts';
import { startTlsProxy, type Handling, type TlsProxy } from './tls-proxy.ts';

export interface Scene {
  readonly t: Test;
  readonly rig: Rig;
  readonly daemon: TestDaemon;
  /** For connectors that are to meet somebody before the relay. */
  readonly proxy: TlsProxy;
  /** The first connection that the proxy serves in the relay's place. */
  readonly served: Promise<FramePeer>;
  /** Lets the connections go on that the proxy holds back. */
  readonly release: () => void;
}

export interface SceneSettings {
  readonly limits?: Partial<SessionLimits>;
  readonly clock?: Clock & { readonly armed: number };
  /** What the proxy does with the first connection (control), the second (data of the first visit) and so on. */
  readonly handling?: readonly Handling[];
}

/** A test that fails unless its people leave nothing: neither in the relay nor in the connectors. */
export function race(name: string, settings: SceneSettings, action: (scene: Scene) => Promise<void>): void {
  t.test(name, async (t) => {
    const { limits = {}, clock = new CountingClock(systemClock), handling = [] } = settings;
    const rig = await startRig(t, { clock, limits });
    const daemon = await startDaemon(t);
    let serve: (peer: FramePeer) => void = () => {};
    const served = new Promise<FramePeer>((resolve) => (serve = resolve));
    const proxy = await startTlsProxy(t, {
      relay: rig.address,
      identity: rig.identity,
      handling: (number) => handling[number] ?? 'pass',
      serve: async (peer) => serve(peer),
    });
    const release = (): void =>
      proxy.connections.filter((_, number) => handling[number] === 'hold').forEach((held) => held.release());
    const noLeaks = watchLeaks(t, rig, clock);
    await action({ t, rig, daemon, proxy, served, release });
    await rig.settled();
    await noLeaks();
  });
}

/** Closes this side of connections, so that the other can be seen to close its own. */
export function hangUp(...ends: readonly { readonly socket: Socket }[]): void {
  for (const { socket } of ends) socket.destroy();
}

/** Ends this side when the peer ends its own. */
export async function endWithPeer(peer: FramePeer): Promise<void> {
  while ((await peer.next()) !== null);
  peer.socket.end();
}

/** Every connection that visits make to the daemon, in a list that grows; each is ended when its peer ends it. */
export function collectSites(daemon: TestDaemon): readonly TestSocket[] {
  const sites: TestSocket[] = [];
  const collect = (site: TestSocket): void => {
    sites.push(site);
    void site.ended.then(() => site.socket.end());
    void daemon.accepted().then(collect);
  };
  void daemon.accepted().then(collect);
  return sites;
}

export const QUESTION = '(y/n';

export interface Stage extends SceneSettings {
  /** Whether the engineer's client answers timing marks. */
  readonly marks?: boolean;
  /** Goes on from where the customer is asked. */
  readonly reach: (people: People, scene: Scene) => Promise<unknown>;
}

/** From the question to the splice. People come there by `bringTogether` with a keyboard, through the proxy. */
export const STAGES: Readonly<Record<string, Stage>> = {
  'while the customer is asked': {
    reach: ({ customer }) => customer.shows(QUESTION),
  },
  'while the line is made ready': {
    marks: false,
    reach: async (people) => {
      await allow(people);
      await people.engineer.has('The customer agreed');
    },
  },
  'while the connector dials': {
    handling: ['pass', 'hold'],
    reach: async (people, { proxy }) => {
      await allow(people);
      await proxy.connection(1);
    },
  },
  'before the acknowledgement': {
    handling: ['pass', 'serve'],
    reach: async (people, { served }) => {
      await allow(people);
      const data = await served;
      await data.expect('dataHello');
      void endWithPeer(data);
    },
  },
};

async function allow({ customer }: People): Promise<void> {
  await customer.shows(QUESTION);
  customer.press('y');
}
