/** A STATE OF THE MANIFEST AS AN OBJECT: its marks, and its bytes, made with turns for others between. */
import type { Clock } from "../../base/env.ts";
import { LSN_ZERO } from "../../base/units.ts";
import type {
  KeyValueOperation,
  RemoteChainKey,
  RemoteState,
  RowCut,
} from "../../manifest/index.ts";
import { manifestObjectSteps } from "../format/manifest-object.ts";
import { paced } from "./paced.ts";
import type { WalPosition } from "./ports.ts";

export type StateMarks = Pick<RowCut, "generation" | "checkpointLsn" | "maxLsn">;

export interface StateContent {
  readonly kind: "base" | "batch";
  readonly part: number;
  readonly whole: boolean;
  readonly rows: readonly KeyValueOperation[];
}

/** Where the object is to lie. */
export interface StatePlace {
  readonly storeId: Uint8Array;
  readonly epoch: number;
  readonly number: number;
  readonly chain: RemoteChainKey;
}

/** `wal`: the newest log object. */
export function remoteStateOf(
  { generation, checkpointLsn, maxLsn }: StateMarks,
  { wallMs, wal }: { readonly wallMs: number; readonly wal: WalPosition | undefined },
): RemoteState {
  const [walEpoch, walNumber] = [wal?.epoch ?? 0, wal?.number ?? 0];
  const walLsn = wal?.endLsn ?? LSN_ZERO;
  return { generation, checkpointLsn, maxLsn, wallMs, walEpoch, walNumber, walLsn };
}

export function encodeState(
  of: { readonly state: RemoteState; readonly content: StateContent; readonly place: StatePlace },
  clock: Clock,
): Promise<Uint8Array> {
  const { walLsn: walEndLsn, ...state } = of.state;
  const { chain, ...place } = of.place;
  const numbers = { baseNumber: chain.number, fencedBelow: place.epoch };
  const object = { ...place, ...numbers, ...state, walEndLsn, ...of.content };
  return paced(manifestObjectSteps(object), clock);
}
