import os
import signal

import pytest

from jconv.cli.signals import signals


def test_signals_are_noted_once_and_the_second_interrupts():
    with signals() as came:
        assert came() == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert came() == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) is not None
