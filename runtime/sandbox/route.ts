// The way that runtime/sdk/socket/server.ts takes from inside a sandbox: a connection to the bridge, which is told where it shall lead. Outside nobody sets a router.
export interface Router {
  /** Where to connect to instead. */
  readonly address: string;
  readonly port: number;
  /** Says where the connection with this local port shall lead. To be called as soon as it stands; what is written to it meanwhile waits. */
  lead(localPort: number, host: string, port: number): void;
  /** Why the connection with this local port was ended by the bridge, if it was. */
  failure(localPort: number): Error | undefined;
}

export let router: Router | undefined;

export function useRouter(one: Router | undefined): void {
  router = one;
}
