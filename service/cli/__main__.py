"""`python -m service.cli` is `vigil`."""

from service.cli import main

raise SystemExit(main())
