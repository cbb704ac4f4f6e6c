/**
 * The management socket's client end: one request, one answer.
 */
import { connect } from 'node:net';
import { errorCode, OperatorError } from '../base/errors.ts';
import type { Answer, RequestName, Requests } from './control-protocol.ts';

/** Rejects with OperatorError when no relay answers or the relay refuses. */
export function request<N extends RequestName>(
  path: string,
  name: N,
  fields: Requests[N]['request'],
): Promise<Requests[N]['answer']> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let received = '';
    socket.setEncoding('utf8');
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

function notReachable(path: string, error: unknown): OperatorError {
  const code = errorCode(error);
  if (code === 'EACCES')
    return new OperatorError(`no permission for ${path}; run as the relay's user or as root`);
  return new OperatorError(
    `no relay answers at ${path} (${code}); start one with relayapp serve, or name its --state`,
  );
}
