/**
 * The management socket's client end: one request, one answer.
 */
import { connect } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { errorCode, OperatorError } from '../base/errors.ts';
import type { Answer, RequestName, Requests } from './control-protocol.ts';
import { CONTROL_ANSWER_DEADLINE_MS } from './limits.ts';

/** A relay as its management commands see it. */
export interface ManagedRelay {
  /** Of its management socket. */
  readonly path: string;
  readonly clock: Clock;
}

/** Rejects with OperatorError when no relay answers, at all or in time, or the relay refuses. */
export function request<N extends RequestName>(
  { path, clock }: ManagedRelay,
  name: N,
  fields: Requests[N]['request'],
): Promise<Requests[N]['answer']> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let received = '';
    const cancel = clock.after(CONTROL_ANSWER_DEADLINE_MS, () => {
      reject(late(path));
      socket.destroy();
    });
    socket.setEncoding('utf8');
    socket.on('close', cancel);
    socket.on('error', (error) => reject(notReachable(path, error)));
    socket.on('connect', () => socket.write(`${JSON.stringify({ name, request: fields })}\n`));
    socket.on('data', (chunk: string) => {
      received += chunk;
    });
    socket.on('end', () => {
      socket.end();
      try {
        const answer = JSON.parse(received) as Answer<N>;
        if (answer.ok) resolve(answer.answer);
        else reject(new OperatorError(answer.error));
      } catch {
        reject(new OperatorError('the relay closed the management socket without an answer; see its log'));
      }
    });
  });
}

function late(path: string): OperatorError {
  const seconds = CONTROL_ANSWER_DEADLINE_MS / 1_000;
  return new OperatorError(
    `the relay at ${path} has not answered for ${seconds} s; see its log, or restart it`,
  );
}

function notReachable(path: string, error: unknown): OperatorError {
  const code = errorCode(error);
  if (code === 'EACCES')
    return new OperatorError(`no permission for ${path}; run as the relay's user or as root`);
  return new OperatorError(
    `no relay answers at ${path} (${code}); start one with relayapp serve, or name its --state`,
  );
}
