/**
 * The sessions as an unmodified supabase-js handles them: `node sessions.mjs URL KEY`.
 *
 * A line out for each cell, in this order: `{cell, data, count, code}`. test_clients.py does the same in Python.
 */

import { createRequire } from "node:module";

const require = createRequire(new URL("../../npm/package.json", import.meta.url));
const { createClient } = require("@supabase/supabase-js");
const ws = require("ws");

const [url, key] = process.argv.slice(2);
const auth = { persistSession: false, autoRefreshToken: false };
const client = createClient(url, key, { auth, realtime: { transport: ws } });
const sessions = () => client.from("sessions");
const state = (tempo, revision = 1) => ({ music: { tempo, isPlaying: false, key: "D" }, metadata: { revision } });
const revision = "state->metadata->>revision";

const cells = {
  insert: () => sessions().insert({ id: "ABC123", state: state(140) }).select(),
  "insert without looking": () => sessions().insert({ id: "DEF456", state: state(90) }),
  "insert several": () => sessions().insert([{ id: "GHI789" }, { id: "MUSIC-42" }]).select("id"),
  "insert what exists": () => sessions().insert({ id: "ABC123", state: {} }),
  "insert no code": () => sessions().insert({ id: "no code", state: {} }),
  "insert yesterday": () => sessions().insert({ id: "OLD123", created_at: "2020-01-01T00:00:00Z" }),
  "get one": () => sessions().select("*").eq("id", "ABC123").single(),
  "get one of none": () => sessions().select("*").eq("id", "NONE00").single(),
  "get perhaps one": () => sessions().select("*").eq("id", "NONE00").maybeSingle(),
  recent: () => sessions().select("id,state").order("created_at", { ascending: false }).order("id").limit(3),
  "recent, a page": () => sessions().select("id").order("id").range(1, 2),
  count: () => sessions().select("*", { count: "exact", head: true }),
  "some of them": () => sessions().select("id").in("id", ["ABC123", "DEF456", "NONE00"]).order("id"),
  "a part of the state": () => sessions().select("id,tempo:state->music->tempo").eq("id", "ABC123"),
  "an unknown column": () => sessions().select("name"),
  update: () => sessions().update({ state: state(150, 2) }).eq("id", "ABC123").select("id,state"),
  "update the known revision": () =>
    sessions().update({ state: state(160, 3) }).eq("id", "ABC123").eq(revision, "2").select("id,state"),
  "update an old revision": () =>
    sessions().update({ state: state(170, 3) }).eq("id", "ABC123").eq(revision, "2").select("id"),
  "update none": () => sessions().update({ state: {} }).eq("id", "NONE00").select("id"),
  "update the beginning": () => sessions().update({ created_at: "2020-01-01T00:00:00Z" }).eq("id", "ABC123"),
  "update the code": () => sessions().update({ id: "ZZZ999" }).eq("id", "ABC123"),
  "update to no object": () => sessions().update({ state: [] }).eq("id", "ABC123"),
  "upsert what exists": () => sessions().upsert({ id: "ABC123", state: state(180, 4) }).select("id,state"),
  "upsert what is new": () => sessions().upsert({ id: "NEW001", state: state(80) }).select("id,state"),
  "upsert without looking": () => sessions().upsert({ id: "ABC123", state: state(190, 5) }),
  delete: () => sessions().delete().eq("id", "GHI789").select("id"),
  "delete without looking": () => sessions().delete().eq("id", "MUSIC-42"),
  "what is left": () => sessions().select("id,state->music->tempo").order("id"),
};

for (const [cell, ask] of Object.entries(cells)) {
  const { data, count, error } = await ask();
  console.log(JSON.stringify({ cell, data, count, code: error?.code ?? null }));
}
