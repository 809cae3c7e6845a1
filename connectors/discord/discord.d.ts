// What the files of this connector hand to each other.
import type { RequestData } from "@discordjs/rest";
import type {
  APIUser,
  GatewayDispatchPayload,
  GatewayMessageCreateDispatchData,
} from "discord-api-types/v10";
import type { ConnectorDefinition, Context, Draft, Outgoing } from "spoolway/sdk";
import type { OpGateway } from "spoolway/sdk/socket/op-gateway";
import type { Places } from "spoolway/sdk/places";
import type { Recent } from "spoolway/sdk/recent";
import type { Config } from "./manifest.d.ts";

export interface Session {
  /** A request of the HTTP API. Throws with a fate. */
  call<T>(method: string, route: `/${string}`, more?: RequestData): Promise<T>;
  /** Its notes are marks (sdk/snowflakes): by server, and by @channel of direct messages. */
  gateway: OpGateway<GatewayDispatchPayload>;
  places: Places;
  /** Which posts of a message are out. */
  posts: Recent<string[]>;
  /** Of messages that were dropped here, the last ones. */
  sent: Recent<true>;
}

/** Resolves when everything that the event means is durable. `id`: of the event, where what it says has none. */
export type Take = (
  event: GatewayDispatchPayload,
  id: string[],
  session: Session,
  ctx: Context<Config>,
) => Promise<void>;
export type Send = NonNullable<ConnectorDefinition<Config, Session>["send"]>;

/** How long a bucket is full. */
export interface Limit {
  timeToReset: number;
  retryAfter: number;
}

export type Message = GatewayMessageCreateDispatchData;
export type User = Partial<APIUser> & { id: string; nick?: string | null | undefined };
export type Sender = NonNullable<Draft["sender"]>;
export type Files = Outgoing["attachments"];
