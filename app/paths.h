/* Where the programs find and keep things: the XDG base directories, and files that come
 * with the program. The engine is told these; it looks at no environment itself. */
#ifndef APP_PATHS_H
#define APP_PATHS_H

/* The folder of installed models, "$XDG_DATA_HOME/verbatim/models" or
 * "~/.local/share/verbatim/models". Each function returns a path owned by the caller
 * (free), or NULL when there is no home directory or no memory; nothing is created. */
char *app_path_models(void);

/* The folder for what can be made again, "$XDG_CACHE_HOME/verbatim" or
 * "~/.cache/verbatim". */
char *app_path_cache(void);

/* A file that comes with the program, such as "models.json": beside an installed program
 * in "../share/verbatim", beside one that was only built in "../data". NULL as well when
 * it is in neither place. */
char *app_path_data(const char *name);

#endif
