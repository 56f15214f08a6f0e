-- 001: the table of stored sessions.
--
-- Paste it into the SQL editor of your Supabase project and run it; running it again changes nothing.
-- The files go in order: 001, 002, 003, 004. Without 002 everybody with the public key may delete everything.

CREATE TABLE IF NOT EXISTS public.sessions (
  id TEXT PRIMARY KEY,                      -- the room code: ABC123, MUSIC-42
  created_at TIMESTAMPTZ DEFAULT NOW(),
  state JSONB DEFAULT '{}'::jsonb
);

-- The most recent sessions, and those to be deleted, are looked up by age.
CREATE INDEX IF NOT EXISTS sessions_created_at ON public.sessions (created_at);

COMMENT ON TABLE public.sessions IS 'Jam sessions: room code, beginning, and the state to resume from; deleted after 24 hours.';

-- The REST server keeps a copy of the schema, and reads it again when told.
NOTIFY pgrst, 'reload schema';
