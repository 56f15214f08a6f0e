-- 004: sessions older than 24 hours are deleted, every hour.
--
-- Run it after 002; running it again changes nothing. On Supabase it switches on the extension pg_cron. Where pg_cron
-- cannot be had, the function alone is made: call `SELECT public.delete_old_sessions();` as the owner, daily, by whatever
-- means there are.

CREATE OR REPLACE FUNCTION public.delete_old_sessions() RETURNS bigint
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
  deleted bigint;
BEGIN
  DELETE FROM public.sessions WHERE created_at < now() - interval '24 hours';
  GET DIAGNOSTICS deleted = ROW_COUNT;
  RETURN deleted;
END
$$;

-- Functions in `public` can be called over REST by default; this one only by its owner, and by cron in the owner's name.
REVOKE ALL ON FUNCTION public.delete_old_sessions() FROM PUBLIC, anon, authenticated, service_role;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions WHERE name = 'pg_cron') THEN
    RAISE NOTICE 'pg_cron is not available: nothing calls public.delete_old_sessions() yet';
    RETURN;
  END IF;
  BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_cron;
  EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'pg_cron could not be switched on (%): nothing calls public.delete_old_sessions() yet', SQLERRM;
    RETURN;
  END;
  -- A job of the same name is replaced.
  PERFORM cron.schedule('delete-old-sessions', '17 * * * *', 'SELECT public.delete_old_sessions()');
END
$$;

NOTIFY pgrst, 'reload schema';
