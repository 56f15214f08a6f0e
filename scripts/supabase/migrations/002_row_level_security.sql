-- 002: who may do what to the sessions.
--
-- The anon key is in every browser, so it is public: what stands here is the only boundary there is. With that key
--   read and change   sessions younger than 24 hours
--   insert            a session that begins now, give or take a minute
--   nothing else      no deleting, no moving of created_at, no other code for a session, no other table
-- and an id has the form of a room code, and a state is an object of at most 64 KiB.
--
-- Run it after 001; running it again changes nothing. Rows that break the form today stay until they expire.

BEGIN;

ALTER TABLE public.sessions DROP CONSTRAINT IF EXISTS sessions_id_is_a_room_code;
ALTER TABLE public.sessions ADD CONSTRAINT sessions_id_is_a_room_code
  CHECK (id ~ '^([A-Z0-9]{6}|[A-Z]{2,7}-[0-9]{1,2}|[A-Z]{8}-[0-9])$') NOT VALID;

-- 64 KiB on the way here, without blanks; PostgreSQL writes one after each comma and colon, which is half as much again at most.
ALTER TABLE public.sessions DROP CONSTRAINT IF EXISTS sessions_state_is_a_small_object;
ALTER TABLE public.sessions ADD CONSTRAINT sessions_state_is_a_small_object
  CHECK (state IS NOT NULL AND jsonb_typeof(state) = 'object' AND octet_length(state::text) <= 98304) NOT VALID;

-- Supabase grants everything to everybody when a table is made; the rights below are all that is left of it.
REVOKE ALL ON public.sessions FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT ON public.sessions TO anon, authenticated;
-- `id` is among them only because an upsert (INSERT ... ON CONFLICT DO UPDATE) sets every column it was given.
GRANT UPDATE (id, state) ON public.sessions TO anon, authenticated;
GRANT ALL ON public.sessions TO service_role;

ALTER TABLE public.sessions ENABLE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS sessions_read ON public.sessions;
CREATE POLICY sessions_read ON public.sessions FOR SELECT TO anon, authenticated
  USING (created_at > now() - interval '24 hours');

DROP POLICY IF EXISTS sessions_insert ON public.sessions;
CREATE POLICY sessions_insert ON public.sessions FOR INSERT TO anon, authenticated
  WITH CHECK (created_at BETWEEN now() - interval '1 minute' AND now() + interval '1 minute');

DROP POLICY IF EXISTS sessions_update ON public.sessions;
CREATE POLICY sessions_update ON public.sessions FOR UPDATE TO anon, authenticated
  USING (created_at > now() - interval '24 hours')
  WITH CHECK (created_at > now() - interval '24 hours');

DO $$
DECLARE
  other text;
BEGIN
  FOR other IN SELECT policyname FROM pg_catalog.pg_policies WHERE schemaname = 'public' AND tablename = 'sessions'
               AND policyname NOT IN ('sessions_read', 'sessions_insert', 'sessions_update')
  LOOP
    RAISE WARNING 'the policy "%" applies as well, and policies add up: is it meant?', other;
  END LOOP;
END
$$;

-- A code is fixed: the right to set `id` is there for the upsert, not for renaming somebody's session.
CREATE OR REPLACE FUNCTION public.sessions_keep_their_code() RETURNS trigger
  LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
  RAISE EXCEPTION 'a session keeps its code' USING ERRCODE = 'insufficient_privilege';
END
$$;

DROP TRIGGER IF EXISTS sessions_keep_their_code ON public.sessions;
CREATE TRIGGER sessions_keep_their_code BEFORE UPDATE OF id ON public.sessions
  FOR EACH ROW WHEN (OLD.id IS DISTINCT FROM NEW.id) EXECUTE FUNCTION public.sessions_keep_their_code();

-- The code of an expired session is free again at once, not only after the next cleanup: a box plays under the same code
-- day after day, and could neither see nor replace yesterday's row.
CREATE OR REPLACE FUNCTION public.sessions_free_an_expired_code() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
  DELETE FROM public.sessions WHERE id = NEW.id AND created_at <= now() - interval '24 hours';
  RETURN NEW;
END
$$;

DROP TRIGGER IF EXISTS sessions_free_an_expired_code ON public.sessions;
CREATE TRIGGER sessions_free_an_expired_code BEFORE INSERT ON public.sessions
  FOR EACH ROW EXECUTE FUNCTION public.sessions_free_an_expired_code();

REVOKE ALL ON FUNCTION public.sessions_keep_their_code() FROM PUBLIC, anon, authenticated, service_role;
REVOKE ALL ON FUNCTION public.sessions_free_an_expired_code() FROM PUBLIC, anon, authenticated, service_role;

NOTIFY pgrst, 'reload schema';

COMMIT;
