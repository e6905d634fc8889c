/**
 * S3 STAGE: starts a real S3 service on this machine, holds the contract of object stores against it
 * and stops it again, by the ids of what it started. Prints what each step took.
 *
 * (1) Without the programs it says what to install and exits with 3: nothing was tested.
 */
import { startVitest } from "vitest/node";
import { missingPrograms, PACKAGES, startCeph } from "../test/s3/ceph.ts";

const NOT_INSTALLED = 3;

async function main(): Promise<void> {
  const missing = missingPrograms();
  if (missing.length > 0) {
    console.error(`s3: there is no ${missing.join(", ")}: install ${PACKAGES.join(" ")}`);
    process.exitCode = NOT_INSTALLED;
    return;
  }
  const beganMs = performance.now();
  const service = await startCeph();
  console.error(`s3: ${service.endpoint} after ${Math.round(performance.now() - beganMs)} ms`);
  try {
    process.env.BOP_S3_ENDPOINT = service.endpoint;
    process.env.AWS_ACCESS_KEY_ID = service.accessKeyId;
    process.env.AWS_SECRET_ACCESS_KEY = service.secretAccessKey;
    const include = ["test/s3/**/*.stage.ts"];
    const vitest = await startVitest("test", [], { config: false, include, watch: false });
    await vitest?.close();
  } finally {
    service.stop();
  }
  console.error(`s3: ${Math.round((performance.now() - beganMs) / 1000)} s in all`);
}

await main();
