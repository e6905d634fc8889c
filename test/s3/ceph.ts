/**
 * A REAL S3 SERVICE ON THIS MACHINE, for tests: Ceph's gateway with one monitor and one device
 * daemon, all on 127.0.0.1, without systemd. Debian has it: see PACKAGES.
 *
 *     monitor ──► device ("osd") ──► gateway ──► user
 *
 * (1) Everything of it lies in one folder, which goes with it. Ended are the processes that were
 *     started with the configuration in that folder, and no others.
 * (2) Authentication between its daemons is off, so any user of the machine can reach them: it holds
 *     data of tests only.
 * (3) Memory holds its data ("memstore"): it starts in a second or two.
 *
 * Settings that are not for looks: the monitor's default pace makes the gateway's first start ten
 * seconds longer; without `tcp_nodelay` each small answer waits 40 ms; the device is placed by hand,
 * since its own attempt to do so fails now and then.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const PACKAGES = ["ceph-mon", "ceph-osd", "radosgw", "ceph-common"] as const;
const PROGRAMS = ["ceph-mon", "ceph-osd", "radosgw", "ceph", "monmaptool", "radosgw-admin"];
const ACCESS_KEY = "bop-test-access";
const SECRET_KEY = "bop-test-secret-key";
const STARTS_WITHIN_MS = 60_000;

export interface Ceph {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Also done when the process ends, however it does but by SIGKILL. Idempotent. */
  stop(): void;
}

/** Programs that are not installed. */
export function missingPrograms(): string[] {
  return PROGRAMS.filter((name) => spawnSync(name, ["--version"]).error !== undefined);
}

export async function startCeph(): Promise<Ceph> {
  const folder = mkdtempSync(join(tmpdir(), "bop-ceph-"));
  const stop = () => endAll(folder);
  process.once("exit", stop);
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => process.exit(1));
  try {
    const [gatewayPort, monitorPort] = [await freePort(), await freePort()];
    configure(folder, { gatewayPort, monitorPort });
    await startMonitor(folder, monitorPort);
    await startDevice(folder);
    await startGateway(folder, gatewayPort);
    const endpoint = `http://127.0.0.1:${gatewayPort}`;
    return { endpoint, accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY, stop };
  } catch (error) {
    stop();
    throw error;
  }
}

interface Ports {
  readonly gatewayPort: number;
  readonly monitorPort: number;
}

function configure(folder: string, { gatewayPort, monitorPort }: Ports): void {
  for (const name of ["mon", "osd", "run", "log"]) mkdirSync(join(folder, name));
  const sections = {
    global: {
      fsid: randomUUID(),
      mon_initial_members: "a",
      mon_host: `v1:127.0.0.1:${monitorPort}`,
      public_addr: "127.0.0.1",
      cluster_addr: "127.0.0.1",
      ms_bind_msgr2: false,
      auth_cluster_required: "none",
      auth_service_required: "none",
      auth_client_required: "none",
      setuser_match_path: "",
      run_dir: `${folder}/run`,
      admin_socket: `${folder}/run/$name.asok`,
      log_file: `${folder}/log/$name.log`,
      pid_file: `${folder}/run/$name.pid`,
      keyring: `${folder}/keyring`,
      debug_default: 0,
      osd_pool_default_size: 1,
      osd_pool_default_min_size: 1,
      osd_pool_default_pg_num: 4,
      osd_pool_default_pgp_num: 4,
      osd_pool_default_pg_autoscale_mode: "off",
      osd_crush_chooseleaf_type: 0,
      mon_allow_pool_size_one: true,
      mon_max_pg_per_osd: 1000,
    },
    mon: {
      mon_data: `${folder}/mon`,
      mon_cluster_log_file: `${folder}/log/cluster.log`,
      paxos_propose_interval: 0.05,
      paxos_min_wait: 0.02,
      mon_data_avail_crit: 1,
      mon_data_avail_warn: 2,
    },
    osd: {
      osd_data: `${folder}/osd`,
      osd_objectstore: "memstore",
      osd_class_load_list: "*",
      osd_class_default_list: "*",
      osd_crush_update_on_start: false,
      osd_class_update_on_start: false,
      memstore_device_bytes: 2 ** 32,
      osd_op_num_shards: 2,
      osd_op_num_threads_per_shard: 1,
      osd_max_scrubs: 0,
    },
    client: {
      rgw_frontends: `beast endpoint=127.0.0.1:${gatewayPort} tcp_nodelay=1`,
      rgw_data: `${folder}/rgw`,
      rgw_thread_pool_size: 32,
      rgw_enable_lc_threads: false,
      rgw_dynamic_resharding: false,
      rgw_override_bucket_index_max_shards: 1,
      rgw_num_rados_handles: 1,
    },
  };
  const text = Object.entries(sections).map(([name, settings]) => {
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`);
    return [`[${name}]`, ...lines, ""].join("\n");
  });
  writeFileSync(confOf(folder), text.join("\n"));
}

async function startMonitor(folder: string, port: number): Promise<void> {
  const conf = confOf(folder);
  const map = join(folder, "monmap");
  const fsid = /^fsid = (.+)$/m.exec(readFileSync(conf, "utf8"))?.[1] ?? "";
  run("monmaptool", ["--create", "--fsid", fsid, "--addv", "a", `[v1:127.0.0.1:${port}]`, map]);
  run("ceph-mon", ["-c", conf, "--mkfs", "-i", "a", "--monmap", map]);
  run("ceph-mon", ["-c", conf, "-i", "a"]);
  await until("the monitor answers", () => succeeds("ceph", admin(folder, ["mon", "stat"])));
}

async function startDevice(folder: string): Promise<void> {
  const conf = confOf(folder);
  const uuid = randomUUID();
  run("ceph", admin(folder, ["osd", "new", uuid]));
  run("ceph-osd", ["-c", conf, "-i", "0", "--mkfs", "--osd-uuid", uuid]);
  run("ceph", admin(folder, ["osd", "crush", "add", "osd.0", "1.0", "root=default", "host=local"]));
  run("ceph-osd", ["-c", conf, "-i", "0"]);
  await until("the device is up", () => {
    const { stdout } = spawnSync("ceph", admin(folder, ["osd", "stat"]), { encoding: "utf8" });
    return stdout.includes("1 up");
  });
}

async function startGateway(folder: string, port: number): Promise<void> {
  const conf = confOf(folder);
  run("radosgw", ["-c", conf, "-n", "client.rgw.a"]);
  await until("the gateway answers", () => accepts(port));
  const keys = [`--access-key=${ACCESS_KEY}`, `--secret-key=${SECRET_KEY}`];
  const user = ["--uid=bop", "--display-name=bop", "--max-buckets=0", ...keys];
  run("radosgw-admin", ["-c", conf, "user", "create", ...user]);
}

/** At once and by force: what they hold is worth nothing, and this must work while we are ending. */
function endAll(folder: string): void {
  for (const pid of pidsOf(folder)) {
    if (pid !== process.pid) process.kill(pid, "SIGKILL");
  }
  rmSync(folder, { recursive: true, force: true });
}

/** Processes that name our own configuration: also one that has not written its pid yet. */
function pidsOf(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(confOf(folder)))
    .map(Number);
}

/** Empty for a process that has ended meanwhile. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

function confOf(folder: string): string {
  return join(folder, "ceph.conf");
}

function admin(folder: string, words: readonly string[]): string[] {
  return ["-c", confOf(folder), "--connect-timeout", "10", ...words];
}

/** Daemons leave their terminal by themselves; nothing of theirs is inherited. */
function run(program: string, words: readonly string[]): void {
  execFileSync(program, words, { stdio: ["ignore", "ignore", "pipe"] });
}

function succeeds(program: string, words: readonly string[]): boolean {
  return spawnSync(program, words, { stdio: "ignore" }).status === 0;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + STARTS_WITHIN_MS;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`ceph: waited in vain until ${what}`);
    await sleep(50);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const answer = (does: boolean) => {
      socket.destroy();
      resolve(does);
    };
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
